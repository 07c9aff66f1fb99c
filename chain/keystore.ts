import { scrypt as nodeScrypt } from 'node:crypto';
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { decryptKeystoreJson, encryptKeystoreJson, getAddress, isError, Wallet, scrypt as walletScrypt } from 'ethers';
import { z } from 'zod';
import { AssayError } from '../protocol/errors.ts';

/**
 * A node's signing key at rest: one file in the Web3 Secret Storage format, version 3, which geth, ethers, MetaMask and
 * others read and write (https://ethereum.org/en/developers/docs/data-structures-and-encoding/web3-secret-storage/).
 *
 * The format's cryptography is ethers'; this file adds what a node on a shared machine needs: the file is never
 * readable by others, never overwritten, never half written, and whatever is wrong with it is said in one message.
 */

// Ethers derives keys in plain JavaScript, on the main thread; OpenSSL takes a tenth of the time, on another thread.
walletScrypt.register((password, salt, N, r, p, dklen) => {
  const maxmem = 128 * r * (N + p + 2);
  return new Promise((resolve, reject) => {
    nodeScrypt(password, salt, dklen, { N, r, p, maxmem }, (error, key) => (error ? reject(error) : resolve(key)));
  });
});

/** What a guess at the password costs: 256 MiB and about a second (geth's standard), or 4 MiB (geth's light). */
const STRONG = { N: 2 ** 18, r: 8, p: 1 } as const;
const LIGHT = { N: 2 ** 12, r: 8, p: 6 } as const;

/** Above this a keystore from elsewhere is a way to exhaust the machine, not to protect a key. */
const MAX_KDF_MEMORY_BYTES = 2 ** 30;
const MAX_KDF_WORK = 2 ** 24;

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^(0x)?[0-9a-fA-F]{${2 * bytes}}$`), `${bytes} bytes in hex`);
const anyHex = z.string().regex(/^(0x)?([0-9a-fA-F]{2})+$/, 'bytes in hex');

const scryptParameters = z
  .object({ n: z.int().min(2), r: z.int().min(1), p: z.int().min(1), dklen: z.literal(32), salt: anyHex })
  .refine(({ n }) => Number.isInteger(Math.log2(n)), 'kdfparams.n must be a power of two')
  // The scrypt vector in the format's definition (n = 2^18, r = 1) breaks this rule; OpenSSL and noble both refuse it.
  .refine(({ n, r }) => Math.log2(n) < 16 * r, 'kdfparams.n must be below 2^(16r) (RFC 7914)')
  .refine(({ n, r }) => 128 * n * r <= MAX_KDF_MEMORY_BYTES, 'kdfparams ask for more than 1 GiB of memory')
  .refine(({ n, r, p }) => n * r * p <= MAX_KDF_WORK, 'kdfparams ask for an absurd amount of work');
const pbkdf2Parameters = z.object({
  c: z.int().min(1).max(MAX_KDF_WORK),
  prf: z.literal('hmac-sha256'),
  dklen: z.literal(32),
  salt: anyHex,
});
const sealed = {
  cipher: z.literal('aes-128-ctr'),
  cipherparams: z.object({ iv: hex(16) }),
  ciphertext: hex(32),
  mac: hex(32),
};
const keystoreFile = z.object({
  version: z.literal(3),
  address: hex(20).optional(),
  crypto: z.discriminatedUnion('kdf', [
    z.object({ kdf: z.literal('scrypt'), kdfparams: scryptParameters, ...sealed }),
    z.object({ kdf: z.literal('pbkdf2'), kdfparams: pbkdf2Parameters, ...sealed }),
  ]),
});

/** An account that can sign. Keep it in memory only. */
export interface UnlockedKey {
  /** EIP-55 checksummed. */
  readonly address: `0x${string}`;
  readonly privateKey: `0x${string}`;
}

/** What anybody may know about a keystore. */
export interface KeystoreInfo {
  readonly path: string;
  /** EIP-55 checksummed. */
  readonly address: `0x${string}`;
}

/**
 * Makes a keystore file at `path` (mode 0600, folders as needed) for a new random key, or for `privateKey` when given.
 *
 * @param options.light a password guess costs 4 MiB instead of 256 MiB: for tests and demonstrations only.
 * @throws AssayError KEYSTORE_EXISTS: an existing file is never overwritten, for it may be the only copy of a key.
 * @throws AssayError PASSWORD_EMPTY, PRIVATE_KEY_INVALID, KEYSTORE_WRITE_FAILED
 */
export async function createKeystore(
  path: string,
  password: string,
  options: { readonly light?: boolean; readonly privateKey?: `0x${string}` } = {},
): Promise<KeystoreInfo> {
  if (password === '') throw emptyPassword();
  const wallet = options.privateKey === undefined ? Wallet.createRandom() : walletFrom(options.privateKey);
  const account = { address: wallet.address, privateKey: wallet.privateKey };
  const json = await encryptKeystoreJson(account, password, { scrypt: options.light ? LIGHT : STRONG });
  await writeNewPrivateFile(path, `${JSON.stringify(JSON.parse(json), null, 2)}\n`);
  return { path, address: wallet.address as `0x${string}` };
}

/**
 * Reads the key out of the keystore at `path`.
 *
 * @throws AssayError KEYSTORE_MISSING, KEYSTORE_PERMISSIONS, KEYSTORE_CORRUPT, KEYSTORE_WRONG_PASSWORD
 */
export async function unlockKeystore(path: string, password: string): Promise<UnlockedKey> {
  const text = await readPrivateFile(path);
  parseKeystore(path, text);
  try {
    const account = await decryptKeystoreJson(text, password);
    return { address: account.address as `0x${string}`, privateKey: account.privateKey as `0x${string}` };
  } catch (cause) {
    if (isError(cause, 'INVALID_ARGUMENT') && cause.argument === 'password') {
      throw new AssayError('KEYSTORE_WRONG_PASSWORD', {
        summary: `The password does not open the keystore ${path}`,
        expected: 'the password given when the keystore was made',
        received: 'one that fails the check sum in the file (the file itself may also have been altered)',
        fix: 'give the right password with --password-file, ASSAY_PASSWORD or at the prompt',
      });
    }
    const otherAddress = isError(cause, 'INVALID_ARGUMENT') && cause.argument === 'address';
    throw corrupt(path, otherAddress ? 'its address is not the one of the key inside' : String(cause), cause);
  }
}

/**
 * The address a keystore says it is for, without its password.
 *
 * @throws AssayError KEYSTORE_MISSING, KEYSTORE_PERMISSIONS, KEYSTORE_CORRUPT (a file that names no address, too)
 */
export async function readKeystoreAddress(path: string): Promise<`0x${string}`> {
  const { address } = parseKeystore(path, await readPrivateFile(path));
  if (address === undefined) throw corrupt(path, 'it names no address');
  return getAddress(address.startsWith('0x') ? address.toLowerCase() : `0x${address.toLowerCase()}`) as `0x${string}`;
}

function walletFrom(privateKey: `0x${string}`): Wallet {
  try {
    return new Wallet(privateKey);
  } catch {
    // The cause is dropped on purpose: no part of a key, not even of a mistyped one, may reach a log.
    throw new AssayError('PRIVATE_KEY_INVALID', {
      summary: 'The private key to put into the keystore is not one',
      expected: '0x and 64 hex digits, not zero and below the order of secp256k1',
      received: `${privateKey.length} characters`,
    });
  }
}

/** Bytes from outside are parsed once, here; ethers then sees only files of the right shape and cost. */
function parseKeystore(path: string, text: string): z.infer<typeof keystoreFile> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw corrupt(path, `not JSON (${text.length} characters, cut short?)`, cause);
  }
  const parsed = keystoreFile.safeParse(lowerCaseKeys(json));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw corrupt(path, `${issue?.path.join('.') || 'file'}: ${issue?.message}`, parsed.error);
}

/** The format leaves the case of member names open ("Crypto" in old geth files). */
function lowerCaseKeys(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toLowerCase(), lowerCaseKeys(inner)]));
}

function corrupt(path: string, received: string, cause?: unknown): AssayError {
  return new AssayError('KEYSTORE_CORRUPT', {
    summary: `${path} is not a usable keystore`,
    expected: 'a Web3 Secret Storage file, version 3 (scrypt or pbkdf2, aes-128-ctr)',
    received,
    fix: 'restore the file from a backup, or make a new key with: npx assay keys create',
    cause,
  });
}

function emptyPassword(): AssayError {
  return new AssayError('PASSWORD_EMPTY', {
    summary: 'The password for the keystore is empty',
    expected: 'at least one character',
    received: 'none',
    fix: 'choose a password: without one, whoever copies the file has the key',
  });
}

async function readPrivateFile(path: string): Promise<string> {
  let mode: number;
  let text: string;
  try {
    ({ mode } = await stat(path));
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    throw new AssayError(missing ? 'KEYSTORE_MISSING' : 'KEYSTORE_PERMISSIONS', {
      summary: missing ? `There is no keystore at ${path}` : `The keystore ${path} cannot be read (${code})`,
      expected: 'a keystore file that this user may read',
      fix: missing
        ? 'name another file, or make a key with: npx assay keys create'
        : `chown it to this user; chmod 600 ${path}`,
      cause,
    });
  }
  // Windows has no such bits; its files inherit the folder's access list.
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new AssayError('KEYSTORE_PERMISSIONS', {
      summary: `Other users of this machine can open the keystore ${path}`,
      expected: 'file mode 0600',
      received: `file mode 0${(mode & 0o777).toString(8)}`,
      fix: `chmod 600 ${path}`,
    });
  }
  return text;
}

/**
 * Like `writeFileAtomic` in storage/, which chain/ must not import, but stricter: private from the first byte on, and a
 * hard link (unlike a rename) fails where the name is taken, so two processes cannot lose a key to each other.
 */
async function writeNewPrivateFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${crypto.randomUUID()}`);
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw writeFailed(path, cause);
  }
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path);
    if (process.platform !== 'win32') {
      const directory = await open(folder);
      await directory.sync().finally(() => directory.close());
    }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') {
      throw new AssayError('KEYSTORE_EXISTS', {
        summary: `There is already a file at ${path}`,
        expected: 'a free name: a keystore may be the only copy of a key and is never overwritten',
        fix: 'choose another path, or move the old file away yourself',
      });
    }
    throw writeFailed(path, cause);
  } finally {
    await unlink(temporary).catch(() => {});
  }
}

function writeFailed(path: string, cause: unknown): AssayError {
  return new AssayError('KEYSTORE_WRITE_FAILED', {
    summary: `The keystore ${path} could not be written (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`,
    expected: 'a folder this user may write to, with space left, on a file system with hard links',
    fix: 'choose another folder',
    cause,
  });
}
