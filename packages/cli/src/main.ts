/** The entry of `tally`. */
import { processContext } from './process-context.ts';
import { run } from './program.ts';

// Not process.exit(): what is still on its way to a pipe would be cut off.
process.exitCode = await run(process.argv.slice(2), processContext);
