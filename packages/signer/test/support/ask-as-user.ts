/** A user of its own at the signer's socket: `node ask-as-user.ts <socket>` asks as it should, and says in JSON what comes. */
import { SignerClient } from '../../src/client.ts';

await using client = new SignerClient(process.argv[2] ?? '');
const said = await client.hello().then(
  ({ origin }) => origin,
  (error: unknown) => (error instanceof Error ? error.message : ''),
);
process.stdout.write(JSON.stringify(said));
