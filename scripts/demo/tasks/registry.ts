import { classify } from './classify.ts';
import { code } from './code.ts';
import { digits } from './digits.ts';
import type { DemoTaskName } from './names.ts';
import type { DemoTask } from './task.ts';

const TASKS: Readonly<Record<DemoTaskName, DemoTask>> = { classify, code, digits };

export function taskOf({ task }: { readonly task: DemoTaskName }): DemoTask {
  return TASKS[task];
}
