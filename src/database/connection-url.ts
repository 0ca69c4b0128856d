/** Which connection strings are understood; what the driver would pass over is refused by name. */
import pg from 'pg'

/** Values that a parameter may have; null for any. The names are those of libpq. */
const parameters: Readonly<Record<string, RegExp | null>> = {
  host: null,
  port: /^\d+$/,
  user: null,
  password: null,
  application_name: null,
  options: null,
  sslmode: /^(disable|prefer|require|verify-ca|verify-full|no-verify)$/,
  sslrootcert: null,
  sslcert: null,
  sslkey: null,
  sslnegotiation: /^(postgres|direct)$/,
  client_encoding: /^utf-?8$/i
}

const leadsToPrimary =
  'the service connects to one host: put in front what leads to the primary (HAProxy that asks ' +
  "Patroni, a virtual address, the managed service's own name) and name that"

/** What to do instead; of other parameters it is only said that they are not known. */
const cures: Readonly<Record<string, string>> = {
  target_session_attrs: leadsToPrimary,
  load_balance_hosts: leadsToPrimary,
  hostaddr: 'write the address as the host',
  dbname: 'write the name of the database as the path',
  service: 'there are no service files here: write out host, database and user',
  passfile: 'write the password, or set PGPASSWORD',
  connect_timeout: 'the service waits 2 s for a connection',
  schema: 'write options=-c%20search_path%3DNAME',
  sslmode: 'write verify-full, no-verify (encrypted, to whoever it may be) or disable',
  ssl: 'write sslmode=verify-full',
  client_encoding: 'it is always UTF8'
}

/** A schema as it can be named without quotes; those that begin with pg_ are PostgreSQL's own. */
export const isSchemaName = (name: string) => /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/.test(name)

/** The values that `options` sets `search_path` to. */
const paths = /(?:-c\s*|--)search[_-]path=((?:\\.|\S)*)/gi
const pathsOf = (url: string) =>
  new URLSearchParams(queryOf(url))
    .getAll('options')
    .flatMap((options) => [...options.matchAll(paths)].map(([, path = '']) => path))

/** The schema of a brand, where the connection string names one. */
export const schemaOf = (url: string): string | undefined => pathsOf(url).at(-1)

/** What is wrong with a connection string, in sentences that show none of its values. */
export function faultsOfUrl(url: string): string[] {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    const isPairs = /^\s*\w+\s*=/.test(url) ? '; name=value pairs are not understood' : ''
    return [`must begin with postgres:// or postgresql://${isPairs}`]
  }
  if (hostsOf(url).some((host) => host.includes(','))) {
    return [`names several hosts; ${leadsToPrimary}`]
  }
  const faults = [...new URLSearchParams(queryOf(url))].flatMap(([name, value]) => {
    const known = parameters[name]
    if (known === null || known?.test(value)) return []
    const cure = cures[name] === undefined ? '' : `; ${cures[name]}`
    const what = known === undefined ? 'is not understood' : 'has a value that is not understood'
    return [`its parameter ${name} ${what}${cure}`]
  })
  if (pathsOf(url).some((path) => !isSchemaName(path))) {
    faults.push(
      'its search_path must name one schema, of small letters, digits and _: what a second one ' +
        'holds would be taken for its own'
    )
  }
  return faults.length > 0 ? faults : faultsOfReading(url)
}

/** What the driver itself says of it, in words that show nothing of it. */
function faultsOfReading(url: string): string[] {
  try {
    new pg.Client({ connectionString: driverUrl(url) })
    return []
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException
    if (path !== undefined) return [`its file ${path} cannot be read (${code})`]
    return [
      'cannot be read as a URL: what is special in its user, password or database must be ' +
        'percent-encoded (# as %23, / as %2F, @ as %40, % as %25)'
    ]
  }
}

/**
 * As the driver is given it. The modes between disable and verify-full mean verify-full to it, and
 * will mean less in a later version: so they say here what they mean.
 */
export function driverUrl(url: string): string {
  return url.replace(/([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/, '$1verify-full')
}

const queryOf = (url: string) => url.split('?')[1] ?? ''

function hostsOf(url: string): string[] {
  const [, authority = ''] = /^\w+:\/\/([^/?]*)/.exec(url) ?? []
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  return [host, ...new URLSearchParams(queryOf(url)).getAll('host')]
}
