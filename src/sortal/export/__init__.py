"""A run for tools of others: ``sortal export RUN --mlflow URI``.

summary    what a run says of itself: what was asked, figures, tags, files; nothing of single rows
mlflow     sends that and the model to a tracking server, and registers the model
pyfunc     how MLflow loads the model: the module that a logged model names
"""
