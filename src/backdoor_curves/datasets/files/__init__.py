"""Files of one's own become tables: named columns of numbers, words, texts or images; one format a file."""
