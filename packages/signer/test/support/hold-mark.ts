/** A process of its own that holds a mark: `node hold-mark.ts <file> <origin> <size>`, until it is killed. */
import { Mark } from '../../src/mark.ts';

const [file = '', origin = '', size = '0'] = process.argv.slice(2);
const mark = Mark.open(file, origin);
if (Number(size) > 0)
  mark.advance({ origin, size: Number(size), root: new Uint8Array(32).fill(Number(size)) }, null);
process.stdout.write('held\n');
setInterval(() => mark.checkpoint, 60_000);
