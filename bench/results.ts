import { type DiskLatency, type Environment, formatDisk, formatEnvironment } from './environment.ts';

/** One benchmark's part of the results file. */
export interface ResultSection {
  readonly name: string;
  readonly title: string;
  readonly measuredAt: Date;
  readonly environment: Environment;
  readonly diskBefore: DiskLatency;
  readonly diskAfter: DiskLatency;
  /** Markdown blocks in order. */
  readonly blocks: readonly string[];
}

const PREAMBLE = `# Benchmark results

Written by \`npm run bench\`, one section a benchmark; running one replaces its section and leaves the others.
Figures from different sections may come from different days and machines: compare within a section.
`;

function markers(name: string): { start: string; end: string } {
  return { start: `<!-- bench: ${name} -->`, end: `<!-- end: ${name} -->` };
}

/** The section as Markdown, between the markers by which it is found again. */
export function renderSection(section: ResultSection): string {
  const { start, end } = markers(section.name);
  const measuredAt = section.measuredAt
    .toISOString()
    .replace(/:\d\d\.\d+Z$/, 'Z')
    .replace('T', ' ');
  const blocks = [
    `## ${section.title}`,
    `Measured ${measuredAt}. ${formatEnvironment(section.environment)}\n` +
      formatDisk(section.diskBefore, section.diskAfter),
    ...section.blocks,
  ];
  return `${start}\n${blocks.join('\n\n')}\n${end}\n`;
}

/**
 * Puts a section in place of the one with the same name, or at the end. `document` is the file's text, empty for a
 * new file. Throws when the old section has lost its end marker, rather than swallow what follows it.
 */
export function replaceSection(document: string, section: ResultSection): string {
  const text = document === '' ? PREAMBLE : document;
  const rendered = renderSection(section);
  const { start, end } = markers(section.name);
  const from = text.indexOf(`${start}\n`);
  if (from === -1) return `${text.trimEnd()}\n\n${rendered}`;
  const to = text.indexOf(`${end}\n`, from);
  if (to === -1) throw new Error(`the results of ${section.name} have no end marker`);
  return text.slice(0, from) + rendered + text.slice(to + end.length + 1);
}
