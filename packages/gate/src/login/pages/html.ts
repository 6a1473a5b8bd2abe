/** Text that is HTML, and text that becomes HTML. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlPart = Html | string | number | null | readonly HtmlPart[];

/** A template whose values are escaped, but for those that are Html themselves. */
export function html(strings: TemplateStringsArray, ...values: HtmlPart[]): Html {
  const parts = strings.map((string, at) => string + (at < values.length ? escaped(values[at] ?? null) : ''));
  return new Html(parts.join(''));
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(value: HtmlPart): string {
  if (value === null) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(escaped).join('');
  return String(value).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
