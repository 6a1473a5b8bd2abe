/** What a command did that was carried out before, in the terms that it was judged in then. */
import { type Effect, effectOf } from '@tallystick/gate';
import type { AppliedChange, LedgerReader } from '@tallystick/ledger';
import type { LicenseDocument, PrincipalDocument } from '@tallystick/license';

export async function pastEffect(
  read: Pick<LedgerReader, 'history'>,
  changes: readonly AppliedChange[],
): Promise<Effect> {
  const before = new Map<string, LicenseDocument | PrincipalDocument>();
  for (const { change } of changes) {
    const { subject, rev } = change;
    if (rev === 0 || (subject.type !== 'license' && subject.type !== 'principal')) continue;
    const [previous] = await read.history(subject.id, rev, 1);
    const document = previous?.revision.current?.document;
    if (document?.type === 'license' || document?.type === 'principal') before.set(subject.id, document);
  }
  return effectOf(
    changes.map(({ change }) => change),
    (_type, id) => before.get(id),
  );
}
