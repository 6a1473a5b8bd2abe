/**
 * The SPIFFE id of a peer's certificate, by the rules of the X.509-SVID and SPIFFE-ID specifications
 * (https://github.com/spiffe/spiffe/tree/main/standards). That the certificate chains to a trusted authority is
 * for TLS to check, before anything here is asked.
 */
import { X509Certificate } from 'node:crypto';

const idBytesMax = 2048;
const trustDomain = /^[a-z0-9._-]{1,255}$/;
const pathSegment = /^[A-Za-z0-9._-]+$/;

/** Of a workload: with a trust domain and a path, and nothing else. */
export function isSpiffeId(text: string): boolean {
  if (text.length > idBytesMax || !text.startsWith('spiffe://')) return false;
  const [domain = '', ...segments] = text.slice('spiffe://'.length).split('/');
  const isPath = segments.every((each) => pathSegment.test(each) && each !== '.' && each !== '..');
  return trustDomain.test(domain) && segments.length > 0 && isPath;
}

/**
 * The id of a certificate in DER at a time in milliseconds; null where it has none, more than one URI, a trust domain
 * that is not among `trustDomains`, belongs to an authority, or is not valid at that time.
 */
export function spiffeIdOf(der: Uint8Array, trustDomains: readonly string[], nowMs: number): string | null {
  const certificate = new X509Certificate(der);
  if (certificate.ca) return null;
  if (nowMs < certificate.validFromDate.getTime() || nowMs > certificate.validToDate.getTime()) return null;
  const names = certificate.subjectAltName ?? '';
  // Node quotes names that could be mistaken for a separator. No SPIFFE id has such characters.
  if (names.includes('"')) return null;
  const uris = names.split(', ').filter((name) => name.startsWith('URI:'));
  const id = uris[0]?.slice('URI:'.length);
  if (id === undefined || uris.length !== 1 || !isSpiffeId(id)) return null;
  return trustDomains.includes(id.slice('spiffe://'.length).split('/', 1)[0] ?? '') ? id : null;
}
