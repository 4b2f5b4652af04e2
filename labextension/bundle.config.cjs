// The licences of what we carry: the builder's report knows no text for spice-html5, whose files are called otherwise.
const { readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { WPPlugin } = require('@jupyter/builder/lib/webpack-plugins');
const { name } = require('./package.json');

const folder = dirname(require.resolve('@spice-project/spice-html5/package.json'));
const texts = ['COPYING.LESSER', 'COPYING'].map(file => readFileSync(join(folder, file), 'utf8'));

module.exports = {
  plugins: [
    // In the place of the builder's own, by the same name.
    new WPPlugin.JSONLicenseWebpackPlugin({
      excludedPackageTest: packageName => packageName === name,
      licenseTextOverrides: { '@spice-project/spice-html5': texts.join('\n') }
    })
  ]
};
