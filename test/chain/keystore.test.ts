import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { expect } from 'chai';
import { getAddress } from 'viem';
import { createKeystore, readKeystoreAddress, unlockKeystore } from '../../chain/keystore.ts';
import { readPassword } from '../../chain/keystorePassword.ts';
import { AssayError } from '../../protocol/errors.ts';

/** The pbkdf2 vector of the format's own definition; the accounts below come from other software. */
const VECTOR_PASSWORD = 'testpassword';
const VECTOR_KEY = '0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d';
const VECTOR_ADDRESS = '0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b';
const PBKDF2_VECTOR = {
  crypto: {
    cipher: 'aes-128-ctr',
    cipherparams: { iv: '6087dab2f9fdbbfaddc31a909735c1e6' },
    ciphertext: '5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46',
    kdf: 'pbkdf2',
    kdfparams: {
      c: 262144,
      dklen: 32,
      prf: 'hmac-sha256',
      salt: 'ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd',
    },
    mac: '517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2',
  },
  id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
  version: 3,
};
/** A keystore that geth wrote, from its test data; its password is "foobar". */
const GETH_SCRYPT = {
  address: 'f466859ead1932d743d622cb74fc058882e8648a',
  crypto: {
    cipher: 'aes-128-ctr',
    ciphertext: 'cb664472deacb41a2e995fa7f96fe29ce744471deb8d146a0e43c7898c9ddd4d',
    cipherparams: { iv: 'dfd9ee70812add5f4b8f89d0811c9158' },
    kdf: 'scrypt',
    kdfparams: {
      dklen: 32,
      n: 8,
      p: 16,
      r: 8,
      salt: '0d6769bf016d45c479213990d6a08d938469c4adad8a02ce507b4a4e7b7739f1',
    },
    mac: 'bac9af994b15a45dd39669fc66f9aa8a3b9dd8c22cb16e4d8d7ea089d0f1a1a9',
  },
  id: '472e8b3d-afb6-45b5-8111-72c89895099a',
  version: 3,
};

describe('keystore', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-keystore-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const put = async (content: unknown, mode = 0o600): Promise<string> => {
    const path = join(folder, 'vector.json');
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    await chmod(path, mode);
    return path;
  };

  it('opens the pbkdf2 vector of the Web3 Secret Storage definition', async () => {
    const key = await unlockKeystore(await put(PBKDF2_VECTOR), VECTOR_PASSWORD);
    expect(key).to.deep.equal({ address: VECTOR_ADDRESS, privateKey: VECTOR_KEY });
  });

  it('opens a scrypt keystore written by geth, in the old mixed case, too', async () => {
    const address = getAddress(`0x${GETH_SCRYPT.address}`);
    expect((await unlockKeystore(await put(GETH_SCRYPT), 'foobar')).address).to.equal(address);
    const { crypto, ...rest } = GETH_SCRYPT;
    expect((await unlockKeystore(await put({ Crypto: crypto, ...rest }), 'foobar')).address).to.equal(address);
  });

  it('gives back the key it stored, in a new folder, private from the start, with no temporary file left', async () => {
    const path = join(folder, 'deep', 'er', 'key.json');
    const made = await createKeystore(path, 'pässword with spaces ', { light: true, privateKey: VECTOR_KEY });
    expect(made).to.deep.equal({ path, address: VECTOR_ADDRESS });
    expect(await unlockKeystore(path, 'pässword with spaces ')).to.deep.equal({
      address: VECTOR_ADDRESS,
      privateKey: VECTOR_KEY,
    });
    expect(await readKeystoreAddress(path)).to.equal(VECTOR_ADDRESS);
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    expect(await readdir(join(folder, 'deep', 'er'))).to.deep.equal(['key.json']);
    expect(await readFile(path, 'utf8')).not.to.contain(VECTOR_KEY.slice(2));
  });

  it('makes a new random key each time, with strong parameters unless light ones are asked for', async () => {
    const strong = await createKeystore(join(folder, 'strong.json'), 'x');
    const light = await createKeystore(join(folder, 'light.json'), 'x', { light: true });
    expect(strong.address).not.to.equal(light.address);
    const parameters = async (name: string) => {
      const file = JSON.parse(await readFile(join(folder, name), 'utf8'));
      return (file.crypto ?? file.Crypto).kdfparams;
    };
    expect(await parameters('strong.json')).to.include({ n: 262144, r: 8, p: 1 });
    expect(await parameters('light.json')).to.include({ n: 4096, r: 8, p: 6 });
    expect((await unlockKeystore(strong.path, 'x')).address).to.equal(strong.address);
  });

  it('never overwrites a file, and of two that make one at once only one wins', async () => {
    const path = join(folder, 'key.json');
    const racers = await Promise.allSettled([
      createKeystore(path, 'x', { light: true }),
      createKeystore(path, 'x', { light: true }),
    ]);
    const won = racers.filter((racer) => racer.status === 'fulfilled');
    const lost = racers.filter((racer) => racer.status === 'rejected');
    expect(won).to.have.length(1);
    expect(lost.map(({ reason }) => reason.code)).to.deep.equal(['KEYSTORE_EXISTS']);
    expect((await unlockKeystore(path, 'x')).address).to.equal(won[0]?.value.address);
  });

  it('refuses a wrong password, saying so and nothing of the key', async () => {
    const { path } = await createKeystore(join(folder, 'key.json'), 'right', { light: true, privateKey: VECTOR_KEY });
    const error = await failure(unlockKeystore(path, 'wrong'));
    expect(error.code).to.equal('KEYSTORE_WRONG_PASSWORD');
    expect(error.message).to.contain(path).and.to.contain('ASSAY_PASSWORD').and.not.to.contain('wrong');
    expect(error.message).not.to.contain(VECTOR_KEY.slice(2, 10));
  });

  it('refuses an altered ciphertext rather than returning another key', async () => {
    const altered = structuredClone(PBKDF2_VECTOR);
    altered.crypto.ciphertext = `00${altered.crypto.ciphertext.slice(2)}`;
    expect((await failure(unlockKeystore(await put(altered), VECTOR_PASSWORD))).code).to.equal(
      'KEYSTORE_WRONG_PASSWORD',
    );
  });

  it('refuses a file whose address is not its key’s', async () => {
    const swapped = { ...PBKDF2_VECTOR, address: '11'.repeat(20) };
    expect((await failure(unlockKeystore(await put(swapped), VECTOR_PASSWORD))).code).to.equal('KEYSTORE_CORRUPT');
  });

  const corrupt: Array<[string, unknown, string]> = [
    ['cut short', JSON.stringify(PBKDF2_VECTOR).slice(0, 200), 'cut short'],
    ['empty', '', 'cut short'],
    ['another JSON file', { name: 'assay' }, 'version'],
    ['an older version', { ...PBKDF2_VECTOR, version: 1 }, 'version'],
    ['short ciphertext', edited((c) => ({ ...c, ciphertext: 'abcd' })), 'ciphertext'],
    ['no mac', edited(({ mac, ...c }) => c), 'mac'],
    ['unknown cipher', edited((c) => ({ ...c, cipher: 'rot13' })), 'cipher'],
    ['unknown kdf', edited((c) => ({ ...c, kdf: 'md5' })), 'kdf'],
    ['a kdf that exhausts memory', scryptEdited({ n: 2 ** 30 }), '1 GiB'],
    ['a kdf that never ends', scryptEdited({ p: 2 ** 20 }), 'work'],
    ['a kdf beyond RFC 7914', scryptEdited({ n: 2 ** 18, r: 1 }), 'RFC 7914'],
    ['a kdf cost that is no power of two', scryptEdited({ n: 1000 }), 'power of two'],
  ];
  for (const [name, content, named] of corrupt) {
    it(`refuses a corrupt keystore: ${name}`, async () => {
      const path = await put(content);
      const error = await failure(unlockKeystore(path, VECTOR_PASSWORD));
      expect(error.code).to.equal('KEYSTORE_CORRUPT');
      expect(error.message).to.contain(path).and.to.contain(named);
    });
  }

  it('says what is wrong when the file is missing or open to others', async () => {
    expect((await failure(unlockKeystore(join(folder, 'none.json'), 'x'))).code).to.equal('KEYSTORE_MISSING');
    if (process.platform === 'win32') return;
    const path = await put(PBKDF2_VECTOR, 0o644);
    const error = await failure(unlockKeystore(path, VECTOR_PASSWORD));
    expect(error.code).to.equal('KEYSTORE_PERMISSIONS');
    expect(error.message).to.contain('0644').and.to.contain(`chmod 600 ${path}`);
  });

  it('refuses an empty password and a key that is none, without repeating it', async () => {
    expect((await failure(createKeystore(join(folder, 'a'), '', { light: true }))).code).to.equal('PASSWORD_EMPTY');
    const bad = `0x${'f'.repeat(64)}` as const;
    const error = await failure(createKeystore(join(folder, 'a'), 'x', { light: true, privateKey: bad }));
    expect(error.code).to.equal('PRIVATE_KEY_INVALID');
    expect(error.message).not.to.contain('ffff');
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it('says so when the folder cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    const error = await failure(createKeystore(join(folder, 'file', 'key.json'), 'x', { light: true }));
    expect(error.code).to.equal('KEYSTORE_WRITE_FAILED');
  });
});

describe('keystore password', () => {
  const envName = 'ASSAY_PASSWORD_OF_THIS_TEST';
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-password-'));
  });
  afterEach(async () => {
    delete process.env[envName];
    await rm(folder, { recursive: true, force: true });
  });

  it('comes from the named file: its first line, spaces kept, line end and byte order mark dropped', async () => {
    const file = join(folder, 'password');
    for (const [content, password] of [
      ['secret', 'secret'],
      ['secret\n', 'secret'],
      [' two words \r\nsecond line\r\n', ' two words '],
      ['\uFEFFsecret\n', 'secret'],
    ] as const) {
      await writeFile(file, content);
      process.env[envName] = 'from the environment';
      expect(await readPassword({ file, envName })).to.equal(password);
    }
  });

  it('comes from the environment when no file is named', async () => {
    process.env[envName] = 'from the environment';
    expect(await readPassword({ envName })).to.equal('from the environment');
  });

  it('is refused when empty or unreadable, naming the source', async () => {
    const file = join(folder, 'password');
    await writeFile(file, '\n');
    expect((await failure(readPassword({ file }))).message).to.contain(file);
    expect((await failure(readPassword({ file: join(folder, 'none') }))).code).to.equal('PASSWORD_FILE');
    process.env[envName] = '';
    const error = await failure(readPassword({ envName }));
    expect(error.code).to.equal('PASSWORD_EMPTY');
    expect(error.message).to.contain(envName);
  });

  it('needs a terminal to ask on', async () => {
    const error = await failure(readPassword({ envName, input: new PassThrough() }));
    expect(error.code).to.equal('PASSWORD_MISSING');
    expect(error.message).to.contain('--password-file').and.to.contain(envName);
    const terminal = Object.assign(new PassThrough(), { isTTY: true });
    expect((await failure(readPassword({ envName, input: terminal, prompt: false }))).code).to.equal(
      'PASSWORD_MISSING',
    );
  });

  it('is asked for without showing it', async () => {
    const { shown, answer } = ask(['s3cret\n'], { prompt: 'Password? ' });
    expect(await answer).to.equal('s3cret');
    expect(shown()).to.equal('Password? \n');
  });

  it('is asked for twice for a new keystore', async () => {
    expect(await ask(['one\n', 'one\n'], { confirm: true }).answer).to.equal('one');
    expect((await failure(ask(['one\n', 'two\n'], { confirm: true }).answer)).code).to.equal('PASSWORD_MISMATCH');
  });

  it('can be declined with Ctrl-C or the end of input', async () => {
    expect((await failure(ask(['abc\u0003']).answer)).code).to.equal('PASSWORD_CANCELLED');
    expect((await failure(ask(['\u0004']).answer)).code).to.equal('PASSWORD_CANCELLED');
  });

  /** Types `lines` on a pretended terminal, each after the question it answers. */
  function ask(lines: string[], options: { prompt?: string; confirm?: boolean } = {}) {
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const pending = [...lines];
    let text = '';
    const output = new Writable({
      write(chunk, _encoding, done) {
        text += chunk;
        if (String(chunk) !== '\n') setImmediate(() => input.write(pending.shift() ?? ''));
        done();
      },
    });
    return { shown: () => text, answer: readPassword({ envName, input, output, ...options }) };
  }
});

function edited(change: (crypto: typeof PBKDF2_VECTOR.crypto) => object): unknown {
  return { ...PBKDF2_VECTOR, crypto: change(PBKDF2_VECTOR.crypto) };
}

function scryptEdited(kdfparams: object): unknown {
  const { crypto } = GETH_SCRYPT;
  return { ...GETH_SCRYPT, crypto: { ...crypto, kdfparams: { ...crypto.kdfparams, ...kdfparams } } };
}

async function failure(promise: Promise<unknown>): Promise<AssayError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!('error' in outcome)) expect.fail(`expected an AssayError, got ${JSON.stringify(outcome.value)}`);
  expect(outcome.error).to.be.instanceOf(AssayError);
  return outcome.error as AssayError;
}
