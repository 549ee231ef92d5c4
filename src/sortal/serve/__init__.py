"""Serving: a model behind HTTP, which logs what it decided and takes the truth back later.

    server      ->  app     ->  v1, v2, page          ->  service      ->  Model.answer_rows, answer_row
    a process       ASGI        one codec a protocol      one handler       artifact
                                                          |
                                                          log.writer  ->  log.sqlite, log.postgres

A request passes these rooms from left to right. What a protocol (v1, v2, the page) knows is how rows and answers are
written; all of them ask ``service.answer``. ``deployment`` says which model answers now, and which is asked beside it.
"""
