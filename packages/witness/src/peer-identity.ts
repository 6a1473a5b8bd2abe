/** Which process is at the other end of a connection, by the SPIFFE id in the certificate that it showed. */
import type { X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';

/** The longest id that SPIFFE allows, in bytes. */
const idLengthMax = 2048;
const trustDomain = /^[a-z0-9._-]{1,255}$/;
const pathSegment = /^[a-zA-Z0-9._-]+$/;

/**
 * True for an id as the SPIFFE-ID standard has it: a trust domain, then a path of segments that are not dots alone, and
 * nothing else.
 */
export function isSpiffeId(text: string): boolean {
  if (!text.startsWith('spiffe://') || text.length > idLengthMax) return false;
  const [domain = '', ...path] = text.slice('spiffe://'.length).split('/');
  return (
    trustDomain.test(domain) &&
    path.every((segment) => pathSegment.test(segment) && segment !== '.' && segment !== '..')
  );
}

/**
 * The id of the peer; null for none that counts: no certificate, one that the listener's authorities did not issue, one
 * that has ended since the connection began, an authority's, or one with other than exactly one URI (X.509-SVID, 2).
 *
 * @param now milliseconds
 */
export function spiffeIdOf(socket: unknown, now: number): string | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined || certificate.ca || !isInForce(certificate, now)) return null;
  const names = certificate.subjectAltName ?? '';
  // Node quotes a name that holds a comma. One such name could read like several, and no honest one has any.
  if (names.includes('"')) return null;
  const uris = names.split(', ').filter((name) => name.startsWith('URI:'));
  const id = uris[0]?.slice('URI:'.length) ?? '';
  return uris.length === 1 && isSpiffeId(id) ? id : null;
}

/** The longest time that a timer takes, in milliseconds. */
const timerMsMax = 2 ** 31 - 1;

/**
 * Ends a connection together with the certificate that its peer showed: who has a newer one connects again with that.
 *
 * @param now milliseconds
 */
export function endWithCertificate(socket: TLSSocket, now: number): void {
  const certificate = socket.getPeerX509Certificate();
  const leftMs = (certificate?.validToDate.getTime() ?? Number.POSITIVE_INFINITY) - now;
  if (leftMs > timerMsMax) return;
  const timer = setTimeout(() => socket.destroy(), Math.max(0, leftMs));
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}

function isInForce({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  return validFromDate.getTime() <= now && now <= validToDate.getTime();
}
