import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      'lib',
      'node_modules',
      'coverage',
      '*.js',
      '*.cjs',
      '*.mjs',
      'style',
      'src/api/schema.ts'
    ]
  },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname }
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-function-return-type': ['error', { allowExpressions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-namespace': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true }
      ],
      // Lumino's signals take the slot and its `this` apart, and bind them again.
      '@typescript-eslint/unbound-method': 'off',
      complexity: ['error', 10],
      curly: 'error',
      eqeqeq: 'error',
      'max-lines': ['error', 300],
      'no-alert': 'error',
      'no-console': 'error',
      'no-eval': 'error',
      'prefer-const': 'error'
    }
  },
  {
    files: ['src/__tests__/**'],
    rules: { '@typescript-eslint/explicit-function-return-type': 'off' }
  }
);
