import { expect } from 'chai';
import { findFalseStatements } from '../../scripts/checks/docs.ts';
import { missingPlatformPackages } from '../../scripts/checks/lockFile.ts';
import { findGaps } from '../../scripts/checks/properties.ts';
import { excludedDetectors, findUnargued, readFindings } from '../../scripts/checks/staticAnalysis.ts';
import { countSolidity, settle } from '../../scripts/test/suites.ts';

describe('check of guarantees', () => {
  const sound = {
    contracts: { 'A.sol': '// INVARIANT (C-01): x\n' },
    tests: { 'a.test.ts': "it('C-01 holds'); it('P-02 holds')" },
    properties: 'C-01 and P-02; SHA-256 and EIP-55 are no ids',
  };

  it('is content when guard, promise and test agree', () => {
    expect(findGaps(sound)).to.deep.equal([]);
  });

  it('finds a guard without promise or test, a promise without guard or test, a test of nothing', () => {
    expect(findGaps({ ...sound, contracts: { 'A.sol': '// C-01\n// C-07\n' } })).to.deep.equal([
      'C-07 guards in A.sol but docs/properties.md does not promise it',
      'C-07 guards in A.sol but no test names it',
    ]);
    expect(findGaps({ ...sound, properties: 'C-01 P-02 P-03 C-04' })).to.deep.equal([
      'C-04 is promised in docs/properties.md but no contract names it',
      'C-04 is promised in docs/properties.md but no test names it',
      'P-03 is promised in docs/properties.md but no test names it',
    ]);
    expect(findGaps({ ...sound, tests: { 'a.test.ts': 'C-01 P-02 P-09' } })).to.deep.equal([
      'P-09 is tried in a.test.ts but promised nowhere',
    ]);
  });

  it('finds an invariant without an id', () => {
    const contracts = { 'A.sol': '// C-01\n// INVARIANT: nobody\n' };
    expect(findGaps({ ...sound, contracts })).to.deep.equal(['A.sol:2: an INVARIANT without an id']);
  });
});

describe('static analysis', () => {
  const page = [
    '| `timestamp` | not asked | deadlines |',
    '| `costly-loop` | `Money._burn` | bounded |',
    '| `pragma` | `^0.8.20` | a package |',
  ].join('\n');
  const loop = { check: 'costly-loop', where: 'Money._burn', text: 'a loop' };
  const pragma = { check: 'pragma', where: '^0.8.20', text: 'two versions' };

  it('is content when every finding is argued', () => {
    expect(findUnargued([loop, loop, pragma], page)).to.deep.equal([]);
    expect(excludedDetectors(page)).to.deep.equal(['timestamp']);
  });

  it('finds what nobody argues, and arguments about what is gone', () => {
    const shift = { check: 'incorrect-shift', where: 'A.b', text: 'a shift' };
    expect(findUnargued([loop, shift], page)).to.deep.equal([
      'gone: pragma ^0.8.20 (take its row out of the document)',
      'new: incorrect-shift A.b\n    a shift',
    ]);
  });

  it('names the place of a finding without its line', () => {
    const contract = { type: 'contract', name: 'Money' };
    const place = { type: 'function', name: '_burn', type_specific_fields: { parent: contract } };
    const inner = { type: 'variable', name: 'sum', type_specific_fields: { parent: place } };
    const detectors = [
      { check: 'a', description: 'x\n', elements: [place] },
      { check: 'b', description: 'y', elements: [inner] },
      { check: 'c', description: 'z', elements: [] },
    ];
    expect(readFindings({ success: true, error: null, results: { detectors } })).to.deep.equal([
      { check: 'a', where: 'Money._burn', text: 'x' },
      { check: 'b', where: 'Money._burn.sum', text: 'y' },
      { check: 'c', where: 'everywhere', text: 'z' },
    ]);
  });
});

describe('check of documents', () => {
  const project = {
    scripts: new Set(['demo', 'lint']),
    exists: (path: string) => path === 'docs/spec/bytes.md',
    help: (command: string) =>
      ({
        '': '-h, --help',
        demo: '--rounds N, --json FILE',
        audit: '--rpc URL',
        keys: 'Usage: assay keys [options] [command]',
        'keys create': '--state FOLDER',
      })[command],
  };
  const check = (text: string) => findFalseStatements('docs/page.md', text, project);
  const block = (...lines: string[]) => ['```sh', ...lines, '```'].join('\n');

  it('accepts commands, options and links that exist', () => {
    const text = block(
      '$ npm run demo -- --rounds 3 # quick',
      'npm run -s demo -- --rounds 3',
      'npx assay keys create --state nodes/north',
      'npx assay audit \\',
      '  --rpc http://127.0.0.1:8545',
      'npx assay --help | cat',
    );
    expect(check(`${text}\n[bytes](spec/bytes.md#x) [web](https://x.org) [up](#top)`)).to.deep.equal([]);
  });

  it('finds scripts, commands, options and links that do not exist', () => {
    expect(check(block('npm run gone'))[0]).to.contain("page.md:2: there is no npm script 'gone'");
    expect(check(block('npx assay fly'))[0]).to.contain("no command 'assay fly'");
    expect(check(block('npx assay audit --deep=3'))[0]).to.contain("'assay audit' has no option --deep");
    expect(check(block('npx assay keys lose'))[0]).to.contain("no command 'assay keys lose'");
    expect(check(block('npx assay keys create --rpc x'))[0]).to.contain("'assay keys create' has no option --rpc");
    expect(check(block('npm run -s demo -- --round 3'))[0]).to.contain("'assay demo' has no option --round");
    expect(check(block('npm run demo -- --round 3'))[0]).to.contain("'assay demo' has no option --round");
    expect(check('see [it](gone.md)')[0]).to.contain('page.md:1: links to gone.md');
  });

  it('leaves prose alone', () => {
    expect(check('npm run gone, npx assay fly')).to.deep.equal([]);
  });
});

describe('check of the lock file', () => {
  it('names the packages of other platforms that a mirror made npm drop', () => {
    const lock = {
      packages: {
        'node_modules/edr': {
          version: '1.2.3',
          dev: true,
          optionalDependencies: { '@x/edr-linux-x64-gnu': '1.2.3', '@x/edr-darwin-arm64': '1.2.3', ranged: '^1.0.0' },
        },
        'node_modules/@x/edr-linux-x64-gnu': {
          version: '1.2.3',
          os: ['linux'],
          engines: { node: '>= 22' },
          license: 'MIT',
        },
      },
    };
    expect(missingPlatformPackages(lock)).to.deep.equal([
      {
        path: 'node_modules/@x/edr-darwin-arm64',
        entry: {
          version: '1.2.3',
          cpu: ['arm64'],
          dev: true,
          license: 'MIT',
          optional: true,
          os: ['darwin'],
          engines: { node: '>= 22' },
        },
      },
    ]);
  });
});

describe('counting of tests', () => {
  const counted = { name: 'suite', passed: 3, failed: 0, skipped: 0, seconds: 1 };

  it('takes a crash and an empty run for failures', () => {
    expect(settle(counted, 0).failed).to.equal(0);
    expect(settle(counted, 1).failed).to.equal(1);
    expect(settle(counted, null).failed).to.equal(1);
    expect(settle({ ...counted, passed: 0 }, 0).failed).to.equal(1);
    expect(settle({ ...counted, failed: 2 }, 2).failed).to.equal(2);
  });

  it('reads the summary of the Solidity runner', () => {
    const output = '  ✔ testFuzz_12 passing (x)\n\n  14 passing\n  2 failing\n';
    expect(countSolidity(output)).to.deep.equal({ passed: 14, failed: 2, skipped: 0 });
    expect(countSolidity('Compiled 3 files')).to.deep.equal({ passed: 0, failed: 0, skipped: 0 });
  });
});
