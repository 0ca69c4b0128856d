/**
 * `npm run licences`: which licences the packages have that the service runs with, as each says in
 * its own package.json. Exits with 1 where one is not allowed. Asks nobody.
 */
import { readFile } from 'node:fs/promises'

/** Licences that ask for a notice at most, by their names in SPDX. */
const allowed = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense'
]

export type Licensed = { name: string; version: string; licence: string }
type Lock = { packages: Record<string, { dev?: boolean; optional?: boolean; link?: boolean }> }
type Manifest = { name: string; version: string; license?: string }

const root = new URL('../', import.meta.url)
const read = async (path: string) => JSON.parse(await readFile(new URL(path, root), 'utf8'))

/** The packages that the image has: neither for development, nor of the sandbox. */
export async function productionPackages(): Promise<Licensed[]> {
  const { packages } = (await read('package-lock.json')) as Lock
  const paths = Object.entries(packages)
    .filter(([path, { dev, optional, link }]) => path !== '' && !dev && !optional && !link)
    .filter(([path]) => path.startsWith('node_modules/'))
  return await Promise.all(
    paths.map(async ([path]) => {
      const { name, version, license } = (await read(`${path}/package.json`)) as Manifest
      return { name, version, licence: license ?? 'none' }
    })
  )
}

/** Whether an SPDX expression leaves a choice that is allowed; all of what stands with AND is. */
export function isAllowed(licence: string): boolean {
  const bare = licence.replaceAll(/[()]/g, ' ').trim()
  if (/ OR /.test(bare) && / AND /.test(bare)) return false
  const names = bare.split(/ (?:OR|AND) /).map((name) => name.trim())
  const isGood = (name: string) => allowed.includes(name)
  return / OR /.test(bare) ? names.some(isGood) : names.every(isGood)
}

if (import.meta.main) {
  const packages = await productionPackages()
  for (const [licence, those] of Object.entries(
    Object.groupBy(packages, ({ licence }) => licence)
  ).sort()) {
    const names = (those ?? []).map(({ name, version }) => `${name}@${version}`)
    process.stdout.write(`${licence} (${names.length}): ${names.join(', ')}\n`)
  }
  const refused = packages.filter(({ licence }) => !isAllowed(licence))
  for (const { name, licence } of refused) {
    process.stderr.write(`${name} has ${licence}, which is not allowed in sandbox/licences.ts\n`)
  }
  if (refused.length > 0) process.exitCode = 1
}
