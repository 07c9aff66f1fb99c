/**
 * What a request to a trustless gateway asks for: the address, the `Accept` header and the query, parsed once into a
 * value that cannot be wrong, or into the HTTP status that refuses it.
 *
 * Source: https://specs.ipfs.tech/http-gateways/trustless-gateway/ and path-gateway.
 */
import { parseCid } from '../protocol/encoding/cid.ts';
import { AssayError } from '../protocol/errors.ts';

/** The empty identity CID, by which clients ask whether this is a trustless gateway at all (spec, "probing"). */
export const PROBE_CID = 'bafkqaaa';

export interface GatewayRequest {
  readonly cid: string;
  readonly format: 'raw' | 'car';
  /** `block`: the root block only. `entity` and `all`: the whole file (a payload has nothing beyond its file). */
  readonly scope: 'block' | 'entity' | 'all';
  /** Whether a block that occurs twice is sent twice. */
  readonly duplicates: boolean;
  /** File bytes asked for with `entity-bytes`: from, and to (inclusive); negative ones count from the end. */
  readonly entityBytes: { readonly from: number; readonly to: number | undefined } | undefined;
  /** Whether the format came by the Accept header alone, so that caches need the explicit address. */
  readonly negotiated: boolean;
}

export interface Refusal {
  readonly status: 400 | 404 | 406;
  readonly message: string;
}

const HOW = 'Ask for ?format=raw (one block) or ?format=car (all blocks of a payload).';

export function parseGatewayRequest(address: string, accept: string): GatewayRequest | Refusal {
  const url = new URL(address, 'http://gateway.invalid');
  const [, namespace, cid, ...path] = url.pathname.split('/');
  if (namespace !== 'ipfs' || cid === undefined || cid === '') {
    return { status: 404, message: `This is a trustless IPFS gateway: the address is /ipfs/<cid>. ${HOW}` };
  }
  if (path.some((part) => part !== '')) {
    return { status: 404, message: 'Payloads are files: there is no path below a CID.' };
  }
  if (cid !== PROBE_CID) {
    try {
      parseCid(cid);
    } catch (error) {
      if (error instanceof AssayError) return { status: 400, message: error.message };
      throw error;
    }
  }
  const query = url.searchParams;
  const wanted = wantedFormat(query.get('format'), accept);
  if (wanted === undefined) {
    return { status: 406, message: `This gateway sends verifiable blocks only, no plain files. ${HOW}` };
  }
  const option = (name: string): string | undefined =>
    query.get(`car-${name}`) ?? wanted.parameters.get(name) ?? undefined;
  const version = option('version') ?? '1';
  const order = option('order') ?? 'dfs';
  if (wanted.format === 'car' && (version !== '1' || (order !== 'dfs' && order !== 'unk'))) {
    return {
      status: 406,
      message: `CAR version 1 in depth-first order only; asked: version ${version}, order ${order}.`,
    };
  }
  const scope = query.get('dag-scope') ?? 'all';
  if (scope !== 'all' && scope !== 'entity' && scope !== 'block') {
    return { status: 400, message: `dag-scope is block, entity or all, not ${JSON.stringify(scope.slice(0, 40))}.` };
  }
  const dups = option('dups') ?? 'y';
  if (dups !== 'y' && dups !== 'n') return { status: 400, message: 'dups is y or n.' };
  const span = query.get('entity-bytes');
  const entityBytes = span === null ? undefined : parseEntityBytes(span);
  if (span !== null && entityBytes === undefined) {
    return { status: 400, message: 'entity-bytes is from:to, with integers or * for the end, for example 0:1048575.' };
  }
  return {
    cid,
    format: wanted.format,
    scope,
    duplicates: dups === 'y',
    entityBytes: scope === 'entity' ? entityBytes : undefined,
    negotiated: query.get('format') === null,
  };
}

interface WantedFormat {
  readonly format: 'raw' | 'car';
  readonly parameters: ReadonlyMap<string, string>;
}

/** The query wins over the header (path-gateway spec); of the header's types the first that we have. */
function wantedFormat(query: string | null, accept: string): WantedFormat | undefined {
  let fromHeader: WantedFormat | undefined;
  for (const entry of accept.split(',')) {
    const [type = '', ...rest] = entry.split(';').map((part) => part.trim().toLowerCase());
    const format =
      type === 'application/vnd.ipld.raw' ? 'raw' : type === 'application/vnd.ipld.car' ? 'car' : undefined;
    if (format === undefined) continue;
    const parameters = new Map(rest.map((part) => part.split('=', 2) as [string, string]));
    if (query === null || query === format) {
      fromHeader = { format, parameters };
      break;
    }
  }
  if (fromHeader !== undefined) return fromHeader;
  return query === 'raw' || query === 'car' ? { format: query, parameters: new Map() } : undefined;
}

function parseEntityBytes(text: string): { from: number; to: number | undefined } | undefined {
  const match = /^(-?\d{1,15}):(-?\d{1,15}|\*)$/.exec(text);
  if (match === null) return undefined;
  return { from: Number(match[1]), to: match[2] === '*' ? undefined : Number(match[2]) };
}
