/** A server that judges nobody: what the gate costs is measured beside it. No configuration of the real one leads here. */
import { runServer } from '@tallystick/server/run';

runServer({ isGateOpen: true });
