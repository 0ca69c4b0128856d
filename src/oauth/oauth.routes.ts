import { Type } from 'typebox'
import { Problem } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { resourcePath, toResourceMetadata } from './oauth.ts'

/** The metadata by which clients find the issuer of tokens (RFC 9728). */
export const oauthRoutes: Routes<'oauth' | 'publicUrl'> = async (app, { oauth, publicUrl }) => {
  const example = toResourceMetadata('https://payments.example', 'https://login.example')
  const text = (description: string) => Type.String({ description })
  const texts = (description: string) => Type.Array(Type.String(), { description })
  const Metadata = Type.Object(
    {
      resource: text('The address of this service'),
      authorization_servers: texts('The issuer whose access tokens are accepted'),
      scopes_supported: texts('What a token may be asked for'),
      bearer_methods_supported: texts('Where a request may have its token'),
      resource_name: text('For people'),
      resource_documentation: text('The address of the documentation')
    },
    { examples: [example] }
  )

  app.get(
    resourcePath,
    {
      schema: {
        operationId: 'getProtectedResource',
        summary: 'Which issuer of access tokens this service trusts',
        description: 'OAuth 2.0 Protected Resource Metadata (RFC 9728); 404 where there is none.',
        tags: ['Health'],
        security: [],
        response: { 200: Metadata }
      },
      config: { problems: ['not_found'] }
    },
    async () => {
      if (oauth === null) throw new Problem('not_found', 'This service takes API keys alone.')
      return toResourceMetadata(publicUrl, oauth.issuer)
    }
  )
}
