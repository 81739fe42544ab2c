"""Which formulas of strangers are handed to the renderer: those that hold mathematics and nothing else. Pure.

A formula could be laid over the page's own words, painted, or be a sentence that looks like one of ours. So commands
are taken from a list of mathematics (those of KaTeX that neither move, paint nor define anything), and prose is not a
formula: it is shown as the text that it is.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_FORMULA = 600  # characters
MOST_NEGATIVE_SPACES = 4  # a few are usual before an integral; many would move what follows over what came before

_LETTERS = """
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa varkappa lambda mu nu xi omicron pi
varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon
Phi Psi Omega aleph beth gimel hbar hslash ell imath jmath wp Re Im partial nabla infty emptyset varnothing eth mho
Bbbk
"""
_OPERATORS = """
pm mp times div cdot ast star circ bullet oplus ominus otimes oslash odot cap cup uplus sqcap sqcup vee wedge lor
land setminus smallsetminus wr diamond triangle triangleleft triangleright dagger ddagger amalg bigcirc lnot neg
forall exists nexists sum prod coprod int iint iiint oint bigcap bigcup bigsqcup bigvee bigwedge bigodot bigotimes
bigoplus biguplus surd angle measuredangle prime backprime top bot flat natural sharp degree complement ldots cdots
vdots ddots dots dotsc dotsb dotsm dotsi colon mid nmid parallel nparallel perp bmod pmod mod pod lim limsup liminf
sup inf max min arg argmax argmin det dim ker hom deg gcd exp log ln lg sin cos tan cot sec csc arcsin arccos arctan
sinh cosh tanh coth Pr operatorname operatorname* limits nolimits
"""
_RELATIONS = """
leq le geq ge ll gg neq ne equiv sim nsim simeq approx approxeq cong ncong propto asymp doteq models vdash dashv
Vdash vDash prec succ preceq succeq subset supset subseteq supseteq nsubseteq nsupseteq subsetneq supsetneq sqsubset
sqsupset sqsubseteq sqsupseteq in notin ni owns smile frown bowtie leqslant geqslant lesssim gtrsim nleq ngeq nless
ngtr not triangleq coloneqq eqqcolon because therefore
"""
_ARROWS = """
leftarrow gets rightarrow to leftrightarrow Leftarrow Rightarrow Leftrightarrow implies impliedby iff mapsto
longmapsto longleftarrow longrightarrow longleftrightarrow Longleftarrow Longrightarrow Longleftrightarrow uparrow
downarrow updownarrow Uparrow Downarrow hookleftarrow hookrightarrow leftharpoonup leftharpoondown rightharpoonup
rightharpoondown rightleftharpoons nearrow searrow swarrow nwarrow nrightarrow nleftarrow rightsquigarrow leadsto
xrightarrow xleftarrow
"""
_BUILDERS = """
frac dfrac tfrac cfrac binom dbinom tbinom sqrt overline underline overbrace underbrace overset underset stackrel
substack hat widehat tilde widetilde bar vec dot ddot acute grave breve check mathring overrightarrow overleftarrow
left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm lbrace rbrace lbrack
rbrack langle rangle lfloor rfloor lceil rceil lvert rvert lVert rVert vert Vert backslash begin end quad qquad
displaystyle textstyle
"""
_FONTS = """
mathrm mathit mathbf mathsf mathtt mathcal mathbb mathfrak mathscr mathnormal boldsymbol bm text textrm textit
textbf textsf texttt rm bf it
"""
FONTS = frozenset(_FONTS.split())
SIGNS = frozenset(" ".join([_LETTERS, _OPERATORS, _RELATIONS, _ARROWS]).split()) | {
    *("left", "right", "quad", "qquad", "displaystyle", "textstyle", "lbrace", "rbrace", "lbrack", "rbrack", "langle"),
    *("rangle", "lfloor", "rfloor", "lceil", "rceil", "lvert", "rvert", "lVert", "rVert", "vert", "Vert", "sqrt"),
}
"""Commands that show a sign in the line, and hide or move nothing."""
COMMANDS = frozenset(" ".join([_LETTERS, _OPERATORS, _RELATIONS, _ARROWS, _BUILDERS, _FONTS]).split())
ENVIRONMENTS = frozenset(
    (
        *("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix", "smallmatrix"),
        *("cases", "rcases", "aligned", "gathered", "split", "array"),
    )
)

_COMMAND = re.compile(r"\\([A-Za-z]+\*?|.)", re.DOTALL)
_SYMBOLS = frozenset("\\{}$%&#_|,;:!> ")  # after a backslash: row ends, braces, signs and spaces
_SPACES = frozenset((*_FONTS.split(), "quad", "qquad", ",", ";", ":", "!", ">", " "))  # leave words side by side
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{([^{}]*)\}")
_COLUMNS = re.compile(r"\\begin\s*\{array\}\s*(?!\{[lcr|\s]*\})")
_PROSE = re.compile(r"[^\W\d_]{3,}\s+[^\W\d_]{3,}|[\u2e80-\u9fff\uac00-\ud7af]{4,}")
_DELIMITER = re.compile(r"\\[()\[\]]")
_STRANGE = {"So", "Sk", "Co", "Cs", "Cn", "Cf", "Cc"}  # dingbats such as a tick, private and invisible characters


def is_clean_formula(content: str) -> bool:
    """Whether the text between two delimiters is mathematics: short, balanced, of known commands, without prose."""
    if not content.strip() or len(content) > LONGEST_FORMULA or "\n\n" in content:
        return False
    if "$" in content or "^^" in content:  # "^^5c" is a backslash to TeX
        return False
    if _DELIMITER.search(content) or not _has_known_commands(content) or not _is_balanced(content):
        return False
    if any(unicodedata.category(letter) in _STRANGE for letter in content if letter not in "^`\n\t"):
        return False
    return not _PROSE.search(_without_commands(content))


def _has_known_commands(content: str) -> bool:
    names = [found[1] for found in _COMMAND.finditer(content)]
    if names.count("!") > MOST_NEGATIVE_SPACES:
        return False
    if not all(name in COMMANDS or name in _SYMBOLS for name in names):
        return False
    inside = _ENVIRONMENT.findall(content)
    if len(inside) != sum(name in ("begin", "end") for name in names) or not ENVIRONMENTS.issuperset(inside):
        return False
    return not _COLUMNS.search(content)


def _is_balanced(content: str) -> bool:
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", content):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


def _without_commands(content: str) -> str:
    """The letters that are shown, with a blank where words stand side by side and a bar where something parts them."""
    content = _ENVIRONMENT.sub("|", content)
    shown = _COMMAND.sub(lambda found: " " if found[1] in _SPACES else "|", content)
    return shown.replace("~", " ").replace("{", "").replace("}", "")
