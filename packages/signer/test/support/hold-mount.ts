/**
 * Somebody with a file system of their own: `unshare --mount node hold-mount.ts <socket>`. Mounts one over a proof, and
 * says in JSON what the signer finds before and after.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ownUser } from '../../src/cell/files.ts';
import { ProofFolder } from '../../src/peer/proof-folder.ts';

const challenge = 'f'.repeat(64);
const proofs = ProofFolder.open(process.argv[2] ?? '', 'owner', new Set([ownUser()]));
const proof = join(proofs.path, challenge);
mkdirSync(proof, { mode: 0o700 });
const before = proofs.problem(challenge);
spawnSync('mount', ['-t', 'tmpfs', '-o', `mode=700,uid=${ownUser()}`, 'none', proof]);
process.stdout.write(JSON.stringify({ before, after: proofs.problem(challenge) }));
