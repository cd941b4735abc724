// mystmd turns `:::{figure} #label` into the cell's output and forgets the directive's `:alt:` on the way.
// This plugin runs before that and notes the text on the figure, where the theme finds it again.
const keepAlt = {
  name: 'keep-alt',
  doc: 'Keep the alt text of figures that show a notebook cell.',
  stage: 'document',
  plugin: (_options, utils) => (tree) => {
    for (const figure of utils.selectAll('container', tree)) {
      const image = (figure.children ?? []).find((child) => child.type === 'image' && child.url?.startsWith('#'));
      if (image?.alt) figure.data = { ...figure.data, alt: image.alt };
    }
    for (const image of utils.selectAll('image', tree)) {
      if (image.url?.startsWith('#') && image.alt) image.data = { ...image.data, alt: image.alt };
    }
  },
};

export default { name: 'sevenepochs', transforms: [keepAlt] };
