/**
 * The server's process: `node main.ts <config.json>`. Prints one JSON line when it listens; alarms and
 * errors are JSON lines on stderr.
 */
import { runServer } from './run-server.ts';

runServer();
