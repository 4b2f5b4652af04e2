// JupyterLab's packages are ES modules; jest runs CommonJS.
module.exports = {
  presets: [
    ['@babel/preset-typescript', { allowDeclareFields: true }],
    ['@babel/preset-react', { runtime: 'classic' }]
  ],
  plugins: ['@babel/plugin-transform-modules-commonjs']
};
