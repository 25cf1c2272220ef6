"""One completion where a cursor stands, as an editor would ask for it, and where it comes from.

cursor.py    FILE:LINE:COL -> the text before and behind it
model.py     what was named -> a model's folder, and what is known of its training code
sources.py   what a completion repeats of that code
complete.py  all of it
"""
