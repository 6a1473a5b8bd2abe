/**
 * DSSE envelopes, in a profile: standard base64 only, closed members, one encoding.
 *
 *     {"payload":b64,"payloadType":"…","signatures":[{"keyid":"…","sig":b64}…]}
 */
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { concatBytes, decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { asArray, asString, closedMembers, parseJsonText } from '../encoding/json.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { isSignedBy, keyIdOf, type PublicKey } from '../trust/key.ts';

export interface EnvelopeSignature {
  keyid: string;
  sig: Uint8Array;
}

export interface Envelope {
  payload: Uint8Array;
  payloadType: string;
  signatures: EnvelopeSignature[];
}

export const payloadTypes = {
  record: 'application/vnd.tallystick.record.v1+json',
  trustRoot: 'application/vnd.tallystick.trust.root.v1+json',
  promise: 'application/vnd.tallystick.promise.v1+json',
  lease: 'application/vnd.tallystick.lease.v1+json',
  attestation: 'application/vnd.tallystick.key.attestation.v1+json',
} as const;

const signaturesMax = 64;

/** DSSE's pre-authentication encoding: the bytes that a signature is over. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const { type, length, prefix } = knownPrefix;
  if (type === payloadType && length === payload.length) return concatBytes(prefix, payload);
  const typeLength = utf8(payloadType).length;
  knownPrefix = {
    type: payloadType,
    length: payload.length,
    prefix: utf8(`DSSEv1 ${typeLength} ${payloadType} ${payload.length} `),
  };
  return concatBytes(knownPrefix.prefix, payload);
}

/** What the newest message began with: records have few lengths, so the next one mostly begins like it. */
let knownPrefix = { type: '', length: -1, prefix: new Uint8Array(0) as Uint8Array };

/** Bytes of `preAuthEncoding`, for an ASCII payload type. */
export function preAuthLength(payloadType: string, payload: Uint8Array): number {
  const digits = String(payloadType.length).length + String(payload.length).length;
  return 'DSSEv1    '.length + digits + payloadType.length + payload.length;
}

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { payload, payloadType, signatures } = envelope;
  const signed = signatures.map(
    ({ keyid, sig }) => `{"keyid":${JSON.stringify(keyid)},"sig":"${base64(sig)}"}`,
  );
  const type = JSON.stringify(payloadType);
  return utf8(`{"payload":"${base64(payload)}","payloadType":${type},"signatures":[${signed.join(',')}]}`);
}

/** Parses an envelope of the given payload type; throws MALFORMED. Signatures are not checked here. */
export function parseEnvelope(bytes: Uint8Array, payloadType: string): Envelope {
  const text = decodeUtf8(bytes);
  return readSingleSigned(text, payloadType) ?? readStrictly(text, payloadType);
}

const opening = '{"payload":"';
/** One signature by a key id of this profile, up to the end. The signature's own digits are for the decoder. */
const oneSignature = /","signatures":\[\{"keyid":"([0-9a-f]{16})","sig":"([A-Za-z0-9+/]+={0,2})"\}\]\}$/y;

/**
 * The envelope that nearly every entry is: one signature, in the one encoding. null where the text is anything else,
 * good or bad: reading that strictly costs several times as much.
 */
function readSingleSigned(text: string, payloadType: string): Envelope | null {
  if (!text.startsWith(opening)) return null;
  const end = text.indexOf('"', opening.length);
  const middle = `","payloadType":"${payloadType}`;
  if (end < 0 || !text.startsWith(middle, end)) return null;
  oneSignature.lastIndex = end + middle.length;
  const found = oneSignature.exec(text);
  if (found === null) return null;
  const [, keyid = '', sig = ''] = found;
  // Nothing of the text is left over, and strict base64 has no second spelling of the same bytes.
  const payload = decodeBase64(text.slice(opening.length, end));
  return { payload, payloadType, signatures: [{ keyid, sig: decodeBase64(sig) }] };
}

function readStrictly(text: string, payloadType: string): Envelope {
  const members = closedMembers(parseJsonText(text), ['payload', 'payloadType', 'signatures'], 'envelope');
  const type = asString(members.payloadType, 'envelope.payloadType');
  if (type !== payloadType) {
    const isOfFamily = type.startsWith(payloadType.slice(0, payloadType.lastIndexOf('.v') + 2));
    const message = `envelope of type ${type}, expected ${payloadType}`;
    throw isOfFamily ? new IntegrityError('TOO_NEW', message) : malformed(message);
  }
  const signatures = asArray(members.signatures, 'envelope.signatures', signaturesMax).map((item) => {
    const { keyid, sig } = closedMembers(item, ['keyid', 'sig'], 'envelope.signature');
    return { keyid: asString(keyid, 'keyid'), sig: decodeBase64(asString(sig, 'sig')) };
  });
  return { payload: decodeBase64(asString(members.payload, 'payload')), payloadType: type, signatures };
}

/**
 * The keys among `keys` with a valid signature on the envelope. Signatures by others, or that do not
 * hold, are ignored: the caller decides which and how many keys it takes.
 */
export async function signersOf(envelope: Envelope, keys: readonly PublicKey[]): Promise<PublicKey[]> {
  const message = preAuthEncoding(envelope.payloadType, envelope.payload);
  const signers: PublicKey[] = [];
  for (const key of keys) {
    const keyid = keyIdOf(key);
    for (const signature of envelope.signatures) {
      if (signature.keyid === keyid && (await isSignedBy(key, message, signature.sig))) {
        signers.push(key);
        break;
      }
    }
  }
  return signers;
}
