"""How the demo speech model is made, from its text to the CTranslate2 directory; README.md has the recipe."""
