/** What somebody sees who opens the cosigner's address: a page for people, the health for machines. */
import type { Cosigner } from '../cosigner.ts';

const statements = {
  witness: 'It cosigns checkpoints of transparency logs that only ever grew.',
  replayer: 'It cosigns checkpoints of logs whose every entry it has replayed and found to follow the rules.',
} as const;

export function renderPage(cosigner: Cosigner): string {
  const name = escapeHtml(cosigner.keys[0].name);
  const logs = cosigner.status().map(({ origin, size, refused }) => {
    const standing = refused === null ? '' : ` — the newest checkpoint was refused: ${escapeHtml(refused)}`;
    return `<li>${escapeHtml(origin)}: cosigned up to ${size} entries${standing}</li>`;
  });
  const vkeys = cosigner.keys.map(
    ({ vkeyText }) => `<p>Verifier key: <code>${escapeHtml(vkeyText)}</code></p>`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${name}</title>
<h1>${name}</h1>
<p>This is a ${cosigner.kind}. ${statements[cosigner.kind]}</p>
${vkeys.join('\n')}
<ul>
${logs.join('\n')}
</ul>
</html>
`;
}

export function healthBody(cosigner: Cosigner): string {
  const { kind, keys } = cosigner;
  return `${JSON.stringify({ status: 'ok', kind, name: keys[0].name, logs: cosigner.status() })}\n`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
