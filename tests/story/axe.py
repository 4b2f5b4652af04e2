"""What axe-core finds in a page: WCAG 2.0 to 2.2, A and AA, and its best practices; no rule is left out."""

from pathlib import Path

AXE = Path(__file__).parents[2] / "labextension/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
# JupyterLab's body, and what it holds notifications in, have no height and hide what overflows them: axe-core takes every text in them
# for unseen, and finds no contrast too low.
HEIGHT = "body { min-height: 100vh; } #react-toastify-container { overflow: visible !important; }"
FIND = """async ([places, rules]) => {
    const { violations, passes } = await axe.run({ include: places }, { runOnly: rules });
    const found = violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${help}\\n${html}\\n${failureSummary}`));
    const isContrastKnown = [...violations, ...passes].some(({ id }) => id === 'color-contrast');
    return [...found, ...(isContrastKnown ? [] : ['The contrast of no text was computed'])];
}"""


def problems(page, *places):
    """All that is wrong in these places, each as a sentence with its element."""
    if not page.evaluate("'axe' in window"):
        page.add_style_tag(content=HEIGHT)
        page.add_script_tag(path=AXE)
    return page.evaluate(FIND, [[[place] for place in places], RULES])
