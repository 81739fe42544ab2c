"""Language tools without papers: characters, sentences, normalisation, terms, quote matching, language."""
