/** What a demonstration may train. */
export const DEMO_TASKS = ['classify', 'code', 'digits'] as const;

export type DemoTaskName = (typeof DEMO_TASKS)[number];
