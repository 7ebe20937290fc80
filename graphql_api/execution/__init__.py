"""From the text of a request to its result: documents read once, and lists of plain objects built at once.

Everything is graphql-core's and Strawberry's, but for two things. A document that was asked before is not
parsed and validated again (`documents`). And where a selection asks nothing but attributes of objects, the
results are built by a function made for that selection (`plans`, `builders`), which knows only the case in
which nothing is wrong: at anything else it gives up, and graphql-core does that object from the start.
"""
