/**
 * The entry of the WASM module (AssemblyScript): every kernel that TypeScript calls is exported from here. Kernels work
 * on memory they are given: pointers are byte addresses, `rowsPtr` is the address of n such pointers (u32), lengths are
 * in coordinates and multiples of 16, the smallest chunk. No kernel keeps anything between calls and the module has no
 * data of its own, so that every thread may instantiate it over one shared memory.
 */
export { readRows } from './readRows';
export { gramSpan } from './gram';
export { growGramTree } from './gramTree';
export {
  hashGramRows, hashModelLeaves, hashUpdateLeaves, joinModelNodes, joinUpdateNodes, sumSquaresOfLeaves,
} from './sha256';
export { countSigns, largestMagnitude } from './signs';
export { allFinite, fixedToFloat, quantizeStochastic, scaleFloats, scaleIntegers, subtractFloats } from './quantize';
export { fedAvgOfRest } from './rowTotals';
export { largestColumnSum, rowSumsFloat64, rowSumsInt16, rowSumsInt32, scaleRowsFloat64, scaleRowsInt32 } from './rowSums';
export { deltasOfFloat64, deltasOfInt32, fedAdaptive, fedAdaptiveModel, fedAvg, fedAvgM, fedAvgOfInt32 } from './serverStep';
export { countTrimmedFloat64, countTrimmedInt16, countTrimmedInt32 } from './trimming';
export { foldDigits, weightedFedAvg, weightedSum } from './weightedSum';
