import { type Command, Option } from 'commander';

export interface FolderFlag {
  folder: string;
}

/** All verbs of a witness work on a folder of its own. */
export function addFolderFlag(command: Command): Command {
  return command.addOption(new Option('--folder <path>', 'folder of the witness').default('witness'));
}
