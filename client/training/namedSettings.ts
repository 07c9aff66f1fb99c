/** `NAME?setting=number&...`, as options name what has settings: the name, and the numbers by their settings. */
export function splitNamedSettings(text: string): readonly [name: string, settings: Readonly<Record<string, number>>] {
  const [name, query = ''] = text.split('?', 2) as [string, string?];
  return [name, Object.fromEntries([...new URLSearchParams(query)].map(([key, value]) => [key, Number(value)]))];
}
