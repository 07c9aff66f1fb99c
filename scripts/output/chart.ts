/**
 * A small chart of a series for the terminal: one column a point, bars of eighths.
 *
 * @param values shares from 0 to 1
 */
export function chart(values: readonly number[], height = 6): string[] {
  const eighths = ' ▁▂▃▄▅▆▇█';
  const rows: string[] = [];
  for (let row = height - 1; row >= 0; row--) {
    const label = row === height - 1 ? '1.0' : row === 0 ? '0.0' : '   ';
    const cells = values.map((value) => {
      const filled = Math.round(Math.min(1, Math.max(0, value)) * height * 8) - row * 8;
      return eighths[Math.max(0, Math.min(8, filled))]!.repeat(3);
    });
    rows.push(`  ${label} │ ${cells.join(' ')}`);
  }
  rows.push(`      └─${'────'.repeat(values.length)}`);
  rows.push(`        ${values.map((_, i) => String(i + 1).padStart(3)).join(' ')}   round`);
  return rows;
}
