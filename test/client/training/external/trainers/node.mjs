// A trainer for tests, written from docs/spec/trainer.md alone: it shares no code with Assay. Its "training" adds 0.5
// to every weight. Arguments before the last one say how it misbehaves.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const faults = new Set(process.argv.slice(2, -1));
const last = process.argv.at(-1);
const value = (name) => [...faults].find((fault) => fault.startsWith(`${name}=`))?.slice(name.length + 1);

function readTensors(file) {
  const length = Number(file.readBigUInt64LE(0));
  const { __metadata__, ...entries } = JSON.parse(file.subarray(8, 8 + length).toString());
  return Object.entries(entries).map(
    ([
      name,
      {
        shape,
        data_offsets: [begin, end],
      },
    ]) => {
      const values = [];
      for (let at = begin; at < end; at += 4) values.push(file.readFloatLE(8 + length + at));
      return { name, shape, values };
    },
  );
}

function writeTensors(tensors, dtype = 'F32') {
  const header = {};
  let end = 0;
  const width = dtype === 'F32' ? 4 : 8;
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + width * values.length] };
    end += width * values.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const file = Buffer.alloc(8 + text.length + end);
  file.writeBigUInt64LE(BigInt(text.length));
  text.copy(file, 8);
  let at = 8 + text.length;
  for (const { values } of tensors) {
    for (const one of values) {
      if (width === 4) file.writeFloatLE(one, at);
      else file.writeDoubleLE(one, at);
      at += width;
    }
  }
  return file;
}

function answer(task, files, report) {
  const result = { protocol: 'trainer/1', id: task.id, verb: task.verb };
  if (files.model) result.modelSha256 = createHash('sha256').update(files.model).digest('hex');
  if (faults.has('refuses')) return [{ ...result, error: 'no samples of class 3' }, {}];
  if (faults.has('stale')) result.modelSha256 = 'ab'.repeat(32);
  if (faults.has('old')) result.id = '00'.repeat(16);
  if (faults.has('otherVerb')) result.verb = 'evaluate';
  if (faults.has('otherProtocol')) result.protocol = 'trainer/9';
  if (task.verb === 'evaluate') {
    return [{ ...result, samples: 40, loss: 0.5, accuracy: faults.has('sure') ? 1.5 : 0.75 }, {}];
  }
  report({ type: 'progress', epoch: 1, epochs: 2, loss: 0.75, accuracy: 0.5 });
  if (faults.has('shows')) console.error(`environment ${Object.keys(process.env).sort().join(' ')}`);
  if (faults.has('shows')) console.error(`task ${JSON.stringify({ ...task, files: Object.keys(files).sort() })}`);
  console.error('half way');
  report({ type: 'progress', epoch: 2, epochs: 2, loss: 0.5, accuracy: 0.75 });
  let tensors =
    task.verb === 'init'
      ? task.manifest.tensors.map(({ name, shape }) => ({
          name,
          shape,
          values: Array(shape.reduce((a, b) => a * b, 1)).fill(Number.parseInt(task.seed.slice(0, 2), 16)),
        }))
      : readTensors(files.model).map((tensor) => ({ ...tensor, values: tensor.values.map((one) => one + 0.5) }));
  if (faults.has('dice')) tensors = tensors.map((one) => ({ ...one, values: one.values.map(Math.random) }));
  if (faults.has('missing')) tensors.pop();
  if (faults.has('extra')) tensors.push({ name: 'zzz', shape: [1], values: [1] });
  if (faults.has('renamed')) tensors[0].name = 'hidden1/Bias';
  if (faults.has('transposed')) tensors = tensors.map((tensor) => ({ ...tensor, shape: tensor.shape.toReversed() }));
  if (faults.has('nan')) tensors[1].values[3] = Number.NaN;
  if (faults.has('infinite')) tensors[1].values[3] = Number.POSITIVE_INFINITY;
  let file = writeTensors(tensors, faults.has('f64') ? 'F64' : 'F32');
  if (faults.has('truncated')) file = file.subarray(0, file.length - 10);
  if (faults.has('huge')) file = Buffer.concat([file, Buffer.alloc(2 ** 21)]);
  const out = faults.has('noWeights') ? {} : { result: file };
  // Counts its rounds in what it keeps.
  if (task.verb === 'train') {
    const rounds = files.memory ? readTensors(files.memory)[0].values[0] : 0;
    out['result-memory'] = writeTensors([{ name: 'rounds', shape: [1], values: [rounds + 1] }]);
  }
  if (faults.has('noSamples')) return [{ ...result, samples: 0, steps: 4, loss: 0.5, accuracy: 0.75 }, out];
  return [{ ...result, samples: 40, steps: 4, loss: 0.5, accuracy: 0.75 }, out];
}

function misbehave() {
  if (faults.has('crashes')) {
    console.error('Traceback: out of memory, say');
    process.exit(3);
  }
  const marker = value('crashesOnce');
  if (marker && !existsSync(marker)) {
    writeFileSync(marker, '');
    process.exit(3);
  }
  if (faults.has('hangs') || faults.has('deaf')) {
    if (faults.has('deaf')) process.on('SIGTERM', () => console.error('I do not listen'));
    // A child that would outlive it, as the workers of a data loader do.
    const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], {
      stdio: 'ignore',
    });
    console.error(`child ${child.pid}`);
    setInterval(() => {}, 1000);
    return true;
  }
  if (faults.has('chatty')) {
    setInterval(() => console.error('still at it'), 50);
    return true;
  }
  return false;
}

function frame(header, files = {}) {
  const attachments = Object.entries(files).map(([name, bytes]) => ({ name, bytes: bytes.length }));
  const text = Buffer.from(JSON.stringify({ ...header, attachments }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, ...Object.values(files)]);
}

if (last === '--serve' && !faults.has('folderOnly')) {
  if (faults.has('prints')) process.stdout.write('Loading the model...\n');
  const hello = frame({ type: 'hello', protocol: faults.has('oldHello') ? 'trainer/0' : 'trainer/1', name: 'test' });
  // In two pieces: a pipe does not keep writes together.
  process.stdout.write(hello.subarray(0, 7));
  process.stdout.write(hello.subarray(7));
  let held = Buffer.alloc(0);
  process.stdin.on('data', (chunk) => {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      if (held.length < 4 || held.length < 4 + held.readUInt32LE(0)) return;
      const length = held.readUInt32LE(0);
      const { attachments, ...task } = JSON.parse(held.subarray(4, 4 + length).toString());
      const total = 4 + length + attachments.reduce((sum, { bytes }) => sum + bytes, 0);
      if (held.length < total) return;
      const files = {};
      let at = 4 + length;
      for (const { name, bytes } of attachments) {
        files[name] = held.subarray(at, at + bytes);
        at += bytes;
      }
      held = held.subarray(total);
      if (misbehave()) return;
      const [result, out] = answer(task, files, (report) => process.stdout.write(frame(report)));
      const bytes = frame({ type: faults.has('oddFrame') ? 'greeting' : 'result', pid: process.pid, ...result }, out);
      process.stdout.write(bytes);
      if (faults.has('twice')) process.stdout.write(bytes);
    }
  });
  process.stdin.on('end', () => process.exit(0));
} else {
  const task = JSON.parse(readFileSync(join(last, 'task.json'), 'utf8'));
  const files = {};
  for (const name of ['model', 'previous', 'memory', 'frozen']) {
    const path = join(last, `${name}.safetensors`);
    if (existsSync(path)) files[name] = readFileSync(path);
  }
  if (!misbehave()) {
    const [result, out] = answer(task, files, (report) => console.log(JSON.stringify(report)));
    for (const [name, bytes] of Object.entries(out)) writeFileSync(join(last, `${name}.safetensors`), bytes);
    if (faults.has('escapes')) {
      renameSync(join(last, 'result.safetensors'), value('to'));
      symlinkSync(value('to'), join(last, 'result.safetensors'));
    }
    if (faults.has('folder')) mkdirSync(join(last, 'result.json'));
    else if (faults.has('garbled')) writeFileSync(join(last, 'result.json'), '{"protocol": "trai');
    else if (!faults.has('silent')) writeFileSync(join(last, 'result.json'), JSON.stringify(result));
    if (faults.has('sadEnd') || result.error) process.exitCode = 4;
  }
}
