/**
 * `npm run sbom [FILE]`: writes what the image is made of (CycloneDX, JSON) into `sbom.cdx.json`
 * or FILE. npm lists all that is installed; what the service runs with is picked here, since
 * `--omit=dev` leaves out what a development dependency needs too (findings/npm-sbom-omit.sh).
 */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { type Licensed, productionPackages } from './licences.ts'

type Component = { 'bom-ref': string; name: string; version: string }
export type Bom = {
  metadata: { component: Component }
  components: Component[]
  dependencies: Array<{ ref: string; dependsOn: string[] }>
}

const root = new URL('../', import.meta.url)
const idOf = ({ name, version }: { name: string; version: string }) => `${name}@${version}`

/** Of all that is installed what the service, `name`, runs with. */
export function pickProduction(all: Bom, name: string, packages: readonly Licensed[]): Bom {
  const runsWith = new Set(packages.map(idOf))
  const components = all.components.filter((one) => runsWith.has(idOf(one)))
  const self = all.metadata.component['bom-ref']
  const kept = new Set([self, ...components.map((one) => one['bom-ref'])])
  return {
    ...all,
    // npm names it after the folder.
    metadata: { ...all.metadata, component: { ...all.metadata.component, name } },
    components,
    dependencies: all.dependencies
      .filter(({ ref }) => kept.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((it) => kept.has(it)) }))
  }
}

if (import.meta.main) {
  const [file = 'sbom.cdx.json'] = process.argv.slice(2)
  const { stdout } = await promisify(execFile)('npm', ['sbom', '--sbom-format=cyclonedx'], {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024
  })
  const { name } = JSON.parse(await readFile(new URL('package.json', root), 'utf8'))
  const bom = pickProduction(JSON.parse(stdout), name, await productionPackages())
  await writeFile(file, `${JSON.stringify(bom, null, 2)}\n`)
}
