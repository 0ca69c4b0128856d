import { createHash } from 'node:crypto'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whom PostgreSQL runs as, where that is not ourselves: it refuses to run as root. */
export type User = { uid: number; gid: number }

/**
 * A folder for temporary files that is open to nobody but `user` (ourselves when undefined): the
 * same one for the same `key`. Its path is shorter than 80 bytes, because a socket's path may have
 * only 103.
 */
export async function privateFolder(key: string, user: User | undefined): Promise<string> {
  const ourselves = process.getuid?.()
  const uid = user?.uid ?? ourselves
  const hash = createHash('sha256').update(`${uid} ${key}`).digest('hex')
  // Root's own folder for temporary files may be closed to the user.
  const parent = user === undefined && tmpdir().length < 55 ? tmpdir() : '/tmp'
  const folder = join(parent, `payments-${hash.slice(0, 12)}`)
  await fs.mkdir(folder, { mode: 0o700 }).catch((error) => {
    if (error.code !== 'EEXIST') throw error
  })
  // Everybody can write to the folder above: whoever made this one must not be a stranger.
  const found = await fs.lstat(folder)
  if (!found.isDirectory() || (found.uid !== uid && found.uid !== ourselves)) {
    throw new Error(`${folder} belongs to another user: remove it`)
  }
  if (user !== undefined) await fs.lchown(folder, user.uid, user.gid)
  return folder
}
