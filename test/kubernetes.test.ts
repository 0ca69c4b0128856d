/** The manifests of ops/kubernetes: they are of Kubernetes' types, and of this service as it is. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Deployment } from 'kubernetes-types/apps/v1.js'
import type { Container, PodSpec, Service } from 'kubernetes-types/core/v1.js'
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js'
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { parse, parseAllDocuments } from 'yaml'
import { readConfig } from '../src/config.ts'

const root = new URL('../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')

type Metadata = { name: string; namespace?: string; labels?: Record<string, string> }
type Manifest = { apiVersion: string; kind: string; metadata: Metadata; data?: object }
type Kustomization = {
  resources?: string[]
  components?: string[]
  configMapGenerator?: Array<{ name: string; literals: string[] }>
}
type Labels = Record<string, string> | undefined

const folders = ['service', 'owner', 'console']
const kustomizationOf = async (folder: string): Promise<Kustomization> =>
  parse(await read(`ops/kubernetes/${folder}/kustomization.yaml`))

/** What stands in a folder, as it is written. */
async function manifestsOf(folder: string): Promise<Manifest[]> {
  const { resources = [] } = await kustomizationOf(folder)
  const texts = await Promise.all(resources.map((file) => read(`ops/kubernetes/${folder}/${file}`)))
  return texts.map((text): Manifest => parse(text))
}

const written = (await Promise.all(folders.map(manifestsOf))).flat()
const ofKind = <T>(manifests: readonly Manifest[], kind: string) =>
  manifests.filter((one) => one.kind === kind) as unknown as T[]

/** By name, with the literals that the example adds: what `envFrom` brings. */
const literals = Object.fromEntries(
  (await Promise.all(['service', 'example/service'].map(kustomizationOf)))
    .flatMap(({ configMapGenerator = [] }) => configMapGenerator)
    .flatMap((one) => one.literals)
    .map((literal) => literal.split(/=(.*)/s).slice(0, 2))
) as Record<string, string>

/** Where the types of a kind are, as `apps/v1`; without a group it is `core`. */
const moduleOf = (apiVersion: string) =>
  apiVersion.includes('/') ? apiVersion.replace('.k8s.io', '') : `core/${apiVersion}`

/**
 * What Kubernetes' types have against manifests: fields that are not known or lack, and values of
 * another type. The types are made of Kubernetes' OpenAPI document.
 */
function typeFaults(manifests: readonly Manifest[]): string[] {
  const lines = manifests.map(
    (one, place) =>
      `const m${place}: import('kubernetes-types/${moduleOf(one.apiVersion)}').${one.kind} = ` +
      JSON.stringify(one)
  )
  const file = fileURLToPath(new URL('test/manifests.ts', root))
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ['lib.es5.d.ts'] },
    ...{ module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }
  }
  const host = ts.createCompilerHost(options)
  const getSourceFile = host.getSourceFile
  host.getSourceFile = (name, version, ...rest) =>
    name === file
      ? ts.createSourceFile(name, lines.join('\n'), version)
      : getSourceFile(name, version, ...rest)
  const program = ts.createProgram([file], options, host)
  return ts.getPreEmitDiagnostics(program).map(({ messageText, file, start = 0 }) => {
    const line = file ? ts.getLineAndCharacterOfPosition(file, start).line : -1
    const { kind } = manifests[line] ?? { kind: 'none' }
    return `${kind}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
  })
}

/** The pods that manifests bring, each with its labels. */
function podsOf(
  manifests: readonly Manifest[]
): Array<{ of: string; labels: Labels; pod: PodSpec }> {
  return manifests.flatMap((one) => {
    const { metadata, spec } = one as unknown as Deployment & { spec: PodSpec }
    if (one.kind === 'Pod') return [{ of: one.metadata.name, labels: metadata?.labels, pod: spec }]
    if (one.kind !== 'Deployment' && one.kind !== 'Job') return []
    const { template } = (one as unknown as Deployment).spec ?? {}
    return [
      { of: one.metadata.name, labels: template?.metadata?.labels, pod: template?.spec as PodSpec }
    ]
  })
}

const serviceOf = (manifests: readonly Manifest[]) => {
  const [{ pod, labels } = { pod: undefined, labels: {} }] = podsOf(manifests).filter(
    ({ of }) => of === 'payments'
  )
  return { pod: pod as PodSpec, labels, container: pod?.containers[0] as Container }
}

/** What the service would read, with a good value for each secret that must be there. */
function environmentOf({ env = [] }: Container): Record<string, string> {
  const secret: Readonly<Record<string, string>> = {
    DATABASE_URL: 'postgresql://payments@postgresql.example/payments',
    ADYEN_HMAC_KEYS: 'ab'.repeat(32)
  }
  const given = env.filter(({ valueFrom }) => valueFrom?.secretKeyRef?.optional !== true)
  return {
    ...literals,
    ...Object.fromEntries(given.map(({ name }) => [name, secret[name] ?? 'x']))
  }
}

/** The names of all variables that a configuration is read from. */
function namesRead(env: Record<string, string>): Set<string> {
  const names = new Set<string>()
  const told = new Proxy(env, {
    get: (target, name: string) => {
      names.add(name)
      return target[name]
    }
  })
  readConfig(told, false)
  return names
}

async function checkRules(t: Test, manifests: readonly Manifest[]): Promise<void> {
  for (const { of, pod } of podsOf(manifests)) {
    t.match(pod, { automountServiceAccountToken: false, enableServiceLinks: false }, of)
    const restricted = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }
    t.match(pod.securityContext, restricted, of)
    for (const { securityContext, resources, image } of pod.containers) {
      const least = { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false }
      t.match(securityContext, { ...least, capabilities: { drop: ['ALL'] } }, of)
      t.ok(resources?.requests?.memory && resources.requests.cpu && resources.limits?.memory, of)
      t.match(image, /one-off-payments/)
    }
    const user = /^USER (\d+):(\d+)$/m.exec((await read('Dockerfile')).split('FROM').at(-1) ?? '')
    const { runAsUser, runAsGroup } = pod.securityContext ?? {}
    t.same([runAsUser, runAsGroup].map(String), user?.slice(1), 'as the image has it')
  }
  t.same(ofKind(manifests, 'Secret'), [], 'no secret stands in a file')
}

t.test('every manifest is of the type that Kubernetes has for it', async (t) => {
  t.same(typeFaults(written), [])
  const [deployment] = ofKind<Manifest & Deployment>(written, 'Deployment')
  const broken = structuredClone(deployment) as unknown as {
    spec: { replicas: unknown; selector?: unknown; template: { spec: object } }
  }
  broken.spec.replicas = '2'
  Object.assign(broken.spec.template.spec, { terminationGracePeriodSecond: 30 })
  const faults = typeFaults([broken as unknown as Manifest]).join('\n')
  t.match(faults, /Deployment: .*string.* is not assignable to .*number/)
  t.match(faults, /terminationGracePeriodSecond.* does not exist/)
})

t.test(
  'every file is named by its kustomization, and what an example names is there',
  async (t) => {
    for (const folder of folders) {
      const files = await readdir(new URL(`ops/kubernetes/${folder}/`, root))
      const { resources = [] } = await kustomizationOf(folder)
      t.same(files.sort(), [...resources, 'kustomization.yaml'].sort(), folder)
      const example = await kustomizationOf(`example/${folder}`)
      t.same(example.resources, [`../../${folder}`])
      t.same(example.components, ['../common'])
    }
  }
)

t.test('every pod runs with the least rights, as the user of the image', async (t) => {
  t.equal(podsOf(written).length, 3)
  await checkRules(t, written)
})

t.test('the service has each setting that it needs, and none that it does not know', async (t) => {
  const { container } = serviceOf(written)
  const environment = environmentOf(container)
  const known = namesRead(environment)
  const names = [...Object.keys(literals), ...(container.env ?? []).map(({ name }) => name)]
  for (const name of names) t.ok(known.has(name), name)
  for (const { name, value, valueFrom } of podsOf(written).flatMap(
    ({ pod }) => pod.containers[0]?.env ?? []
  )) {
    t.equal(value, undefined, name)
    t.equal(valueFrom?.secretKeyRef?.key, name)
  }
  // Whoever adds what must be secret has to bring it here too.
  const secret = [...known].filter((name) =>
    /(KEYS?|PASSWORD|USER|DATABASE_(DIRECT_)?URL)$/.test(name)
  )
  for (const name of secret) t.ok(names.includes(name), name)
  t.equal(readConfig(environment, false).kind, 'production')
})

t.test('ports and probes are those of the service, and a stop has time to drain', async (t) => {
  const { pod, container } = serviceOf(written)
  const config = readConfig(environmentOf(container), false)
  const ports = Object.fromEntries(
    (container.ports ?? []).map((one) => [one.name, one.containerPort])
  )
  t.same(ports, { http: config.port, metrics: config.metricsPort })
  const document = await read('openapi/payments.v1.yaml')
  const { startupProbe, livenessProbe, readinessProbe } = container
  for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
    t.ok(document.includes(`\n  ${probe?.httpGet?.path}:\n`), probe?.httpGet?.path ?? 'no path')
    t.equal(probe?.httpGet?.port, 'http')
  }
  t.equal(livenessProbe?.httpGet?.path, '/health/live', 'the database being away restarts nobody')
  t.equal(readinessProbe?.httpGet?.path, '/health/ready')
  const [, stopS = ''] = /stopWithinS = ([\d.]+)/.exec(await read('src/main.ts')) ?? []
  t.ok(Number(stopS) > 0)
  t.ok((pod.terminationGracePeriodSeconds ?? 0) > config.drainS + Number(stopS) + 5)
  const [deployment] = ofKind<Deployment>(written, 'Deployment')
  t.ok((deployment?.spec?.progressDeadlineSeconds ?? 0) > config.databaseWaitS)
  t.equal(deployment?.spec?.strategy?.rollingUpdate?.maxUnavailable, 0)
})

t.test('services, budgets and policies are about the pods that are there', async (t) => {
  const pods = podsOf(written)
  const chosenBy = (labels: Labels) =>
    pods.filter((one) =>
      Object.entries(labels ?? {}).every(([key, value]) => one.labels?.[key] === value)
    )
  const selectors: Labels[] = [
    ...ofKind<Deployment>(written, 'Deployment').map(({ spec }) => spec?.selector.matchLabels),
    ...ofKind<Service>(written, 'Service').map(({ spec }) => spec?.selector),
    ...ofKind<PodDisruptionBudget>(written, 'PodDisruptionBudget').map(
      ({ spec }) => spec?.selector?.matchLabels
    )
  ]
  t.equal(selectors.length, 3)
  for (const labels of selectors) {
    const chosen = chosenBy(labels).map(({ of }) => of)
    t.same(chosen, ['payments'])
  }
  const policies = ofKind<NetworkPolicy>(written, 'NetworkPolicy')
  for (const { spec } of policies) t.same(spec?.policyTypes, ['Ingress', 'Egress'])
  const guarded = policies.flatMap(({ spec }) => chosenBy(spec?.podSelector.matchLabels))
  t.same(guarded.map(({ of }) => of).sort(), pods.map(({ of }) => of).sort(), 'each by one policy')
  const named = policies.flatMap(({ spec }) =>
    (spec?.ingress ?? []).flatMap(({ ports = [] }) => ports.map(({ port }) => port))
  )
  const ports = serviceOf(written).container.ports?.map(({ name }) => name)
  t.same(named, ports, 'whoever comes in comes to a port that is there')
})

t.test('the job does what the service may not, as another user of the database', async (t) => {
  const [{ pod } = { pod: undefined }] = podsOf(written).filter(
    ({ of }) => of === 'payments-migrate'
  )
  const [{ command = [], env = [] } = {}] = pod?.containers ?? []
  t.same(command, ['node', 'src/main.ts', 'migrate', '--grant-to', 'payments'])
  t.same(
    env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name),
    ['payments-owner']
  )
  const { container } = serviceOf(written)
  const secrets = (container.env ?? []).map(({ valueFrom }) => valueFrom?.secretKeyRef?.name)
  t.same([...new Set(secrets)], ['payments'], 'and the service never sees the secret of the owner')
})

const run = promisify(execFile)
const hasKubectl = await run('kubectl', ['version', '--client']).then(
  () => true,
  () => false
)
const skip = !hasKubectl && 'kubectl is not installed'

t.test('the example is what kustomize makes of it', { skip }, async (t) => {
  const made = await Promise.all(
    folders.map(async (folder) => {
      const path = fileURLToPath(new URL(`ops/kubernetes/example/${folder}`, root))
      const { stdout } = await run('kubectl', ['kustomize', path])
      return parseAllDocuments(stdout).map((one): Manifest => one.toJS())
    })
  )
  const manifests = made.flat()
  t.equal(manifests.length, written.length + 1, 'and what was no secret')
  t.same(typeFaults(manifests), [])
  await checkRules(t, manifests)
  for (const { metadata } of manifests) t.equal(metadata.namespace, 'payments', metadata.name)
  const images = podsOf(manifests).flatMap(({ pod }) => pod.containers.map(({ image }) => image))
  t.same([...new Set(images)], ['registry.example/one-off-payments:1.0.0'])
  const [config] = ofKind<Manifest>(manifests, 'ConfigMap')
  t.same(config?.data, literals)
  const { container } = serviceOf(manifests)
  t.equal(container.envFrom?.[0]?.configMapRef?.name, config?.metadata.name)
  for (const { spec } of ofKind<NetworkPolicy>(manifests, 'NetworkPolicy')) {
    const [rule] = (spec?.egress ?? []).filter(({ ports }) => ports?.[0]?.port === 5432)
    t.same(rule?.to, [{ ipBlock: { cidr: '10.20.0.10/32' } }], 'PostgreSQL, and no other rule')
  }
})
