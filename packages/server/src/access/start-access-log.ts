/** Starts the access log beside the ledger, and has everybody told where it fails. */
import { type Directory, defaultPolicyDocument } from '@tallystick/gate';
import type { ServerConfig } from '../config.ts';
import type { EventStreams } from '../http/event-streams.ts';
import type { Metrics } from '../metrics.ts';
import { raiseAlarm } from '../raise-alarm.ts';
import { AccessClient, type AccessListener } from './access-client.ts';
import { registerAccessMetrics } from './access-metrics.ts';

interface Told extends Pick<AccessListener, 'onDeath'> {
  metrics: Metrics;
  streams: EventStreams;
  directory: Directory;
}

const defaultPolicy = defaultPolicyDocument();

/** null where none is kept. */
export async function startAccessLog(
  { accessLog, signerSocket, trustRoot, cosigners, cosignerTimeoutMs, cosignerTls }: ServerConfig,
  { metrics, streams, directory, onDeath }: Told,
): Promise<AccessClient | null> {
  if (accessLog === undefined) return null;
  const access = await AccessClient.start(
    { accessLog, signerSocket, trustRoot, cosigners, cosignerTimeoutMs, cosignerTls },
    {
      onTrouble: (detail) => {
        if (detail === null) return;
        raiseAlarm({ metrics, streams }, 'access_log_unavailable', detail);
      },
      onDeath,
      isDurable: (action) => (directory.policy ?? defaultPolicy).durable.includes(action),
    },
  );
  registerAccessMetrics(metrics, () => access.status);
  return access;
}
