/** The threads of an engine, and what has been asked of each. */
import { AssayError } from '../../errors.ts';
import type { Kernels } from '../../kernels/kernelModule.ts';
import type { MachineSetup } from './blockMachine.ts';
import type { Region, StartThread, Thread, ThreadMessage } from './thread.ts';

/** The threads of an engine: started when a round first needs them, kept for the next one. */
export class Crew {
  private readonly kernels: Kernels;
  private readonly start: StartThread;
  private members: Member[] = [];

  constructor(kernels: Kernels, start: StartThread) {
    this.kernels = kernels;
    this.start = start;
  }

  /** As many members as regions, ready for a round. */
  open(setup: MachineSetup, regions: readonly Region[]): Member[] {
    this.members = this.members.filter((member) => !member.dead);
    while (this.members.length < regions.length) this.members.push(new Member(this.kernels, this.start));
    const chosen = this.members.slice(0, regions.length);
    chosen.forEach((member, i) => {
      member.tell({ verb: 'open', setup, region: regions[i]! });
    });
    return chosen;
  }

  async end(): Promise<void> {
    await Promise.all(this.members.splice(0).map((member) => member.end()));
  }
}

interface Question {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** One thread, and what it has been asked and not answered yet. */
export class Member {
  dead = false;
  private readonly thread: Thread;
  private readonly questions: Question[] = [];
  private reason = 'the engine was closed';

  constructor({ memory }: Kernels, start: StartThread) {
    this.thread = start(
      { memory },
      (reply) => {
        const question = this.questions.shift();
        if (this.busy === 0) this.thread.keepAlive(false);
        if ('value' in reply) question?.resolve(reply.value as never);
        else question?.reject(new AssayError(reply.error.code, reply.error.details));
      },
      (reason) => this.die(reason),
    );
  }

  get busy(): number {
    return this.questions.length;
  }

  tell(message: ThreadMessage): void {
    this.thread.post(message);
  }

  ask<Value>(message: ThreadMessage): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (this.dead) {
        reject(threadDeath(this.reason));
        return;
      }
      this.thread.keepAlive(true);
      this.questions.push({ resolve, reject });
      this.thread.post(message);
    });
  }

  async end(): Promise<void> {
    this.die('the engine was closed');
    await this.thread.end();
  }

  private die(reason: string): void {
    this.dead = true;
    this.reason = reason;
    for (const { reject } of this.questions.splice(0)) reject(threadDeath(this.reason));
  }
}

/** What is said to whoever waits for a thread that died. */
export function threadDeath(reason: string): AssayError {
  return new AssayError('THREAD_DIED', {
    summary: 'a thread of the computation died',
    expected: 'the numbers of a block',
    received: reason,
    fix: 'run it again: new threads start; if they die again, give the process more memory or use --threads 1',
  });
}
