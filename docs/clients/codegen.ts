import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['operations.graphql', 'live.graphql'],
  importExtension: '.js',
  generates: {
    'gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        enumType: 'string-literal',
        scalars: { DateTime: 'string', ID: 'string', Long: 'number', URL: 'string' },
        strictScalars: true,
        useTypeImports: true,
      },
    },
  },
};

export default config;
