// Stands in for style sheets and images, which jest cannot load.
module.exports = '<svg xmlns="http://www.w3.org/2000/svg"></svg>';
