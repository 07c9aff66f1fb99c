import type { DemoOptions } from '../demoOptions.ts';
import { classify } from './classify.ts';
import { code } from './code.ts';
import { digits } from './digits.ts';
import type { DemoTaskName } from './names.ts';
import type { DemoTask } from './task.ts';

const TASKS: Readonly<Record<DemoTaskName, DemoTask>> = { classify, code, digits };

export function taskOf({ task }: { readonly task: DemoTaskName }): DemoTask {
  return TASKS[task];
}

/**
 * What the user left open is as suits the task.
 *
 * @param isOpen whether the user left an option to its default
 */
export function withTaskDefaults(options: DemoOptions, isOpen: (name: string) => boolean): DemoOptions {
  const left = Object.entries(taskOf(options).defaults).filter(
    // Momentum suits the task's own server step, not any other.
    ([name]) => isOpen(name) && (name !== 'serverMomentum' || isOpen('server')),
  );
  return { ...options, ...Object.fromEntries(left) };
}
