/**
 * British spellings that slip in most often, as patterns with the American form. A letter in brackets
 * keeps each pattern from matching itself in this file.
 */
const british: readonly (readonly [RegExp, string])[] = [
  [/[Ll]ice[n]c(?:e|ing)/, 'license'],
  [/[Cc]olo[u]r/, 'color'],
  [/[Bb]ehavio[u]r/, 'behavior'],
  [/[Hh]ono[u]r/, 'honor'],
  [/[Ff]avo[u]r/, 'favor'],
  [/[Nn]eighbo[u]r/, 'neighbor'],
  [/[Ll]abo[u]r/, 'labor'],
  [/[Dd]efen[c]e/, 'defense'],
  [/[Oo]ffen[c]e/, 'offense'],
  [/[Pp]reten[c]e/, 'pretense'],
  [/[Cc]ent[r]e/, 'center'],
  [/[Aa]rte[f]act/, 'artifact'],
  [/[Aa]naly[s](?:e(?!s\b)|ing)/, 'analyze'],
  [/[Ff]ulfi[l](?!l)/, 'fulfill'],
  [/[Ll]abe[l]l(?:ed|ing)/, 'labeled'],
  [/[Mm]ode[l]l(?:ed|ing)/, 'modeled'],
  [/[Ss]igna[l]l(?:ed|ing)/, 'signaled'],
  [/[Tt]rave[l]l(?:ed|ing|er)/, 'traveled'],
  [/\b[Ww]hil[s]t\b/, 'while'],
];

/** Stems whose verb has an s in one spelling and a z in the other. */
const stems: readonly string[] = [
  'anonym',
  'author',
  'canonical',
  'capital',
  'categor',
  'central',
  'character',
  'custom',
  'emphas',
  'equal',
  'final',
  'general',
  'harmon',
  'initial',
  'local',
  'material',
  'maxim',
  'memo',
  'minim',
  'modern',
  'normal',
  'optim',
  'organ',
  'penal',
  'priorit',
  'pseudonym',
  'random',
  'real',
  'recogn',
  'scrutin',
  'serial',
  'special',
  'stabil',
  'standard',
  'summar',
  'synchron',
  'token',
  'util',
  'visual',
];
const verb = new RegExp(`(?:${stems.join('|')})i[s](?:e[drs]?|ers|ing|ations?)(?![a-z])`, 'i');

/** Returns the first British spelling in a line with its American form, or `undefined`. */
export function findBritish(line: string): { readonly found: string; readonly american: string } | undefined {
  // Words in capitals are read like any other; camel case is not, or `percentRead` would be a finding.
  const text = line.replace(/\b[A-Z]{4,}\b/g, (word) => word.toLowerCase());
  for (const [pattern, american] of british) {
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) return { found, american };
  }
  const found = verb.exec(text)?.[0];
  return found === undefined ? undefined : { found, american: found.replace(/is(?=[^s]*s?$)/, 'iz') };
}
