/** Whether a request bears the signature of AWS (Signature Version 4), recomputed from what arrived. */
import { createHash, createHmac } from 'node:crypto';
import type { HeardRequest } from './loopback-server.ts';

export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
}

const form =
  /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;

/** Null where it holds for that service and region; otherwise the name of the error that AWS gives. */
export function awsSignatureProblem(
  request: HeardRequest,
  { accessKeyId, secretAccessKey }: AwsCredentials,
  { region, service }: { region: string; service: string },
): string | null {
  const { authorization = '' } = request.headers;
  if (authorization === '') return 'MissingAuthenticationToken';
  const [, id, date, inRegion, forService, names = '', signature] = form.exec(authorization) ?? [];
  if (date === undefined) return 'IncompleteSignature';
  if (id !== accessKeyId) return 'UnrecognizedClientException';
  const signed = names.split(';');
  const needed = ['host', 'x-amz-date', 'x-amz-target'].every((name) => signed.includes(name));
  if (inRegion !== region || forService !== service || !needed) return 'InvalidSignatureException';
  const scope = `${date}/${region}/${service}/aws4_request`;
  const time = String(request.headers['x-amz-date']);
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonicalRequest(request, signed))}`;
  const key = [date, region, service, 'aws4_request'].reduce<Buffer | string>(
    (secret, part) => hmac(secret, part),
    `AWS4${secretAccessKey}`,
  );
  const isRight = time.startsWith(date) && hmac(key, text).toString('hex') === signature;
  return isRight ? null : 'InvalidSignatureException';
}

function canonicalRequest({ method, path, headers, body }: HeardRequest, signed: readonly string[]): string {
  const lines = signed.map(
    (name) =>
      `${name}:${String(headers[name] ?? '')
        .trim()
        .replaceAll(/ +/g, ' ')}\n`,
  );
  const [resource = '/', query = ''] = path.split('?');
  return [method, resource, query, lines.join(''), signed.join(';'), sha256(body)].join('\n');
}

function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
