/** Logs that break one rule each. */
import {
  type BrakeDocument,
  concatBytes,
  encodeMapRoot,
  encodeRecord,
  formatInstant,
  payloadTypes,
  utf8,
  zeroSalt,
} from '@tallystick/core';
import type { ReplayRule } from '../../src/index.ts';
import { newKey, sealEnvelope } from './signing-key.ts';
import { licenseId, listedKey, TestLog, testNow } from './test-log.ts';

const first = licenseId(1);
const second = licenseId(2);

export function bootstrapped(): TestLog {
  return new TestLog().bootstrap();
}

/** What a brake says that lands at the end of the log, and ends and destroys the license key. */
function destruction(log: TestLog): Required<Pick<BrakeDocument, 'until' | 'destroyed'>> {
  const ends = [{ id: log.keys.license.id, index: log.size }];
  return { until: ends, destroyed: ends };
}

/** A log that obeys, with every kind of entry, ending in a map root. */
export function goodLog(): TestLog {
  const log = bootstrapped();
  log.pushMapRoot();
  log.pushLicense(first);
  log.pushLicense(second);
  log.pushLicense(first, 'license.suspended');
  log.pushRecord(log.record('pln_00000000000000000000000001', 'plan.created'), [log.keys.plan]);
  log.pushBrake({ lock: 'heightened' });
  log.pushMapRoot();
  const authority = newKey();
  log.pushTrust({ authority });
  log.pushNamespace({ epoch: 1 }, [authority]);
  log.pushLicense(first, 'license.reinstated');
  log.pushBrake({ epoch: 1 });
  log.pushMapRoot();
  return log;
}

/** Builds the rest of a log behind its bootstrap, up to and with the entry that breaks the rule. Returns its index. */
type Break = (log: TestLog) => number;

export const brokenLogs: [what: string, rule: ReplayRule, build: Break][] = [
  ['a map root over another map', 'map-root', (log) => log.pushMapRoot({ root: new Uint8Array(32).fill(1) })],
  [
    'a map root of an earlier index',
    'map-root',
    (log) => {
      log.pushMapRoot();
      return log.pushMapRoot({ index: 3 });
    },
  ],
  ['a map root that names another trust root', 'trust-hash', (log) => log.pushMapRoot({ trust: zeroSalt })],
  [
    'a map root with a sixth line',
    'entry',
    (log) => {
      const mapRoot = encodeMapRoot({
        index: log.size,
        root: log.map.root(),
        trust: log.genesis,
        at: log.nextAt(),
      });
      return log.push(concatBytes(mapRoot, utf8('\n')));
    },
  ],
  [
    'a revision left out',
    'chain',
    (log) => {
      log.pushLicense(first);
      return log.pushLicense(first, 'license.suspended', { rev: 2 });
    },
  ],
  [
    'a first revision that is not 0',
    'chain',
    (log) => log.pushLicense(first, 'license.suspended', { rev: 1, prev: zeroSalt }),
  ],
  [
    'an old entry that is replayed',
    'chain',
    (log) => {
      const issued = log.pushLicense(first);
      log.pushLicense(first, 'license.suspended');
      return log.push(log.entries[issued]!);
    },
  ],
  [
    'a prev that is another entry',
    'chain',
    (log) => {
      log.pushLicense(first);
      return log.pushLicense(first, 'license.suspended', { prev: log.tree.leaf(0) });
    },
  ],
  [
    'time running backwards',
    'at',
    (log) => {
      log.pushLicense(first);
      return log.pushLicense(second, 'license.issued', { at: formatInstant((testNow - 7200) * 1000) });
    },
  ],
  [
    'a map root whose time runs backwards',
    'at',
    (log) => log.pushMapRoot({ at: formatInstant((testNow - 7200) * 1000) }),
  ],
  [
    'time six minutes ahead',
    'at',
    (log) => log.pushLicense(first, 'license.issued', { at: formatInstant((testNow + 360) * 1000) }),
  ],
  [
    'a signature by a key before its range',
    'signature',
    (log) => {
      const early = newKey();
      const { keys } = log.namespaceDocument(1);
      log.publicKeys.push(early);
      log.pushNamespace({ keys: [...keys, listedKey(early, ['license'], log.size + 100)] });
      return log.pushRecord(log.record(first, 'license.issued'), [early]);
    },
  ],
  [
    'a signature by a key behind its range',
    'signature',
    (log) => {
      const [license, ...others] = log.namespaceDocument(1).keys;
      log.pushNamespace({ keys: [{ ...license!, until: log.size + 2 }, ...others] });
      log.pushLicense(first);
      return log.pushLicense(second);
    },
  ],
  [
    'a signature by a key that the brake cut',
    'signature',
    (log) => {
      log.pushBrake({ until: [{ id: log.keys.license.id, index: log.size + 1 }] });
      return log.pushLicense(first);
    },
  ],
  [
    'a signature by a key of another usage',
    'signature',
    (log) => log.pushRecord(log.record(first, 'license.issued'), [log.keys.plan]),
  ],
  [
    'a signature by an unknown key',
    'signature',
    (log) => log.pushRecord(log.record(first, 'license.issued'), [newKey()]),
  ],
  ['no signature', 'signature', (log) => log.pushRecord(log.record(first, 'license.issued'), [])],
  [
    'a signature over another record',
    'signature',
    (log) => {
      const other = sealEnvelope(encodeRecord(log.record(second, 'license.issued')), payloadTypes.record, [
        log.keys.license,
      ]);
      const { signatures } = JSON.parse(new TextDecoder().decode(other)) as { signatures: unknown };
      const record = log.record(first, 'license.issued');
      const own = sealEnvelope(encodeRecord(record), payloadTypes.record, []);
      return log.push(
        utf8(JSON.stringify({ ...JSON.parse(new TextDecoder().decode(own)), signatures })),
        record,
      );
    },
  ],
  [
    'a namespace that its authority did not sign',
    'signature',
    (log) => log.pushNamespace({ epoch: 1 }, [log.keys.license]),
  ],
  [
    'a brake signed by a license key',
    'signature',
    (log) => log.pushBrake({ lock: 'frozen' }, [log.keys.license]),
  ],
  ['an unknown record type', 'record-type', (log) => log.pushLicense(first, 'license.gifted')],
  ['a chain opened by a later type', 'record-type', (log) => log.pushLicense(first, 'license.amended')],
  [
    'a chain opened twice',
    'record-type',
    (log) => {
      log.pushLicense(first);
      return log.pushLicense(first, 'license.issued');
    },
  ],
  [
    'a record of another type on a license',
    'subject',
    (log) => {
      log.pushLicense(first);
      return log.pushRecord(log.record(first, 'plan.updated'), [log.keys.plan]);
    },
  ],
  ['a license record on the namespace', 'subject', (log) => log.pushLicense('namespace', 'license.amended')],
  [
    'a brake record about another subject',
    'subject',
    (log) =>
      log.pushBrake({}, [log.keys.brake], {
        subject: log.subject(first),
        rev: 0,
        prev: null,
        type: 'brake.created',
      }),
  ],
  [
    'a record of a namespace nobody trusts',
    'namespace',
    (log) => log.pushLicense(first, 'license.issued', { ns: 'other' }),
  ],
  [
    'a brake that loosens',
    'brake',
    (log) => {
      log.pushBrake({ lock: 'frozen' });
      return log.pushBrake({ lock: 'open' });
    },
  ],
  ['a brake of another epoch', 'brake', (log) => log.pushBrake({ epoch: 1 })],
  [
    'a brake that drops a destroyed key',
    'brake',
    (log) => {
      const { until, destroyed } = destruction(log);
      log.pushBrake({ until, destroyed });
      return log.pushBrake({ until });
    },
  ],
  [
    'a brake that drops a destroyed key under a higher epoch',
    'brake',
    (log) => {
      log.pushBrake(destruction(log));
      log.pushNamespace({ epoch: 1 });
      return log.pushBrake({ epoch: 1 });
    },
  ],
  [
    'a brake that calls a key destroyed which has not ended',
    'brake',
    (log) => log.pushBrake({ destroyed: destruction(log).destroyed }),
  ],
  [
    'a signature by a destroyed key, under an epoch that released the brake',
    'signature',
    (log) => {
      log.pushBrake(destruction(log));
      log.pushNamespace({ epoch: 1 });
      return log.pushLicense(first);
    },
  ],
  [
    'a namespace that drops a key',
    'namespace',
    (log) => log.pushNamespace({ keys: log.namespaceDocument(1).keys.slice(1) }),
  ],
  [
    'a namespace whose new key is valid from the past',
    'namespace',
    (log) =>
      log.pushNamespace({ keys: [...log.namespaceDocument(1).keys, listedKey(newKey(), ['license'], 1)] }),
  ],
  ['a document of another revision', 'document', (log) => log.pushNamespace({ rev: 9 })],
  ['a document that is not one', 'document', (log) => log.pushBrake({ lock: 'ajar' as never })],
  [
    'a record in another encoding',
    'entry',
    (log) => {
      const record = utf8(`${new TextDecoder().decode(encodeRecord(log.record(first, 'license.issued')))} `);
      return log.push(sealEnvelope(record, payloadTypes.record, [log.keys.license]));
    },
  ],
  ['an entry of no known kind', 'entry', (log) => log.push(utf8('hello'))],
  [
    'an entry of another payload type',
    'entry',
    (log) =>
      log.push(
        sealEnvelope(encodeRecord(log.record(first, 'license.issued')), payloadTypes.lease, [
          log.keys.license,
        ]),
      ),
  ],
  ['trust root version 3 after 1', 'trust-root', (log) => log.pushTrust({ version: 3 })],
  ['a trust root signed by nobody who may', 'trust-root', (log) => log.pushTrust({ signers: [newKey()] })],
  ['a trust root that does not follow', 'trust-root', (log) => log.pushTrust({ prev: zeroSalt })],
  [
    'a new authority without a namespace signed anew',
    'resign',
    (log) => {
      log.pushTrust({ authority: newKey() });
      return log.pushLicense(first);
    },
  ],
  [
    'a map root between a new authority and its namespace',
    'resign',
    (log) => {
      log.pushTrust({ authority: newKey() });
      return log.pushMapRoot();
    },
  ],
  [
    'a namespace signed by the authority before',
    'signature',
    (log) => {
      log.pushTrust({ authority: newKey() });
      return log.pushNamespace();
    },
  ],
  ['a last leaf that is not a map root', 'last-leaf', (log) => log.pushLicense(first)],
];
