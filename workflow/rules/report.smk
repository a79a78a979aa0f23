# Recorded measurements -> tables, figures, claims and the page. These rules read nothing else, so
# they run where there are no data and no checkpoints: `make tables PRESET=...`. What is marked for it
# stands in `snakemake --report`, too, with the captions of workflow/report.


report: "../report/workflow.rst"


rule tables:
    input:
        expand(f"{plan.results}/tables/{{id}}.{{kind}}", id=plan.tables, kind=TABLE_KINDS),


rule figures:
    input:
        plan.figure_files,


rule report:
    input:
        f"{plan.results}/report.html",


rule table:
    input:
        metrics=lambda wildcards: plan.metric_files(*table_spec(wildcards.id).analyses),
        modules=lambda wildcards: step_files("table", TABLES[wildcards.id]),
    output:
        csv=report(
            f"{plan.results}/tables/{{id}}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{id}"},
        ),
        md=f"{plan.results}/tables/{{id}}.md",
    log:
        f"{plan.results}/logs/tables/{{id}}.log",
    benchmark:
        f"{plan.results}/benchmarks/table/{{id}}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        index=lambda wildcards: plan.index_file(*table_spec(wildcards.id).analyses),
        run=lambda wildcards: plan.results,
        caption=lambda wildcards, output: table_caption(Path(output.md)),
    shell:
        "clearfilters table {wildcards.id:q} --run-folder {params.run:q} --index {params.index:q}"
        " --out-csv {output.csv:q} --out-md {output.md:q} 2>&1 | tee {log:q}"


rule figure:
    input:
        metrics=lambda wildcards: plan.metric_files(*figure_spec(wildcards.id).analyses),
        modules=lambda wildcards: step_files("figure", FIGURES[wildcards.id]),
    output:
        png=report(
            f"{plan.results}/figures/{{id}}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{id}"},
        ),
        csv=f"{plan.results}/figures/{{id}}.csv",
    log:
        f"{plan.results}/logs/figures/{{id}}.log",
    benchmark:
        f"{plan.results}/benchmarks/figure/{{id}}.tsv"
    wildcard_constraints:
        id="|".join(FIGURES),
    threads: 1
    resources:
        mem_mb=1000,
    params:
        index=lambda wildcards: plan.index_file(*figure_spec(wildcards.id).analyses),
        run=lambda wildcards: plan.results,
        caption=lambda wildcards, output: figure_caption(Path(output.png)),
    shell:
        "clearfilters figure {wildcards.id:q} --run-folder {params.run:q} --index {params.index:q}"
        " --out {output.png:q} 2>&1 | tee {log:q}"


# From the parameters alone: the renderer gives the same images everywhere.
if plan.contact_sheet:

    rule contact_sheet:
        input:
            modules=step_files("contact_sheet"),
        output:
            png=report(
                plan.contact_sheet[0],
                caption="../report/figure.rst",
                category="Figures",
                labels={"figure": CONTACT_SHEET},
            ),
            csv=plan.contact_sheet[1],
        log:
            f"{plan.results}/logs/figures/contact_sheet.log",
        benchmark:
            f"{plan.results}/benchmarks/figure/contact_sheet.tsv"
        threads: 1
        resources:
            mem_mb=1000,
        params:
            slice=plan.contact_sheet_slice(),
            caption=lambda wildcards, output: figure_caption(Path(output.png)),
        shell:
            "clearfilters contact-sheet --parameters {params.slice:q} --out {output.png:q}"
            " 2>&1 | tee {log:q}"


rule claims:
    input:
        metrics=plan.metric_files(*MEASUREMENTS),
        modules=step_files("claims"),
    output:
        report(
            f"{plan.results}/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"table": "claims"},
        ),
    log:
        f"{plan.results}/logs/claims.log",
    benchmark:
        f"{plan.results}/benchmarks/report/claims.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        slice=plan.claims_slice(),
        index=lambda wildcards: plan.index_file(*MEASUREMENTS),
        run=lambda wildcards: plan.results,
    shell:
        "clearfilters claims --run-folder {params.run:q} --index {params.index:q}"
        " --parameters {params.slice:q} --out {output:q} 2>&1 | tee {log:q}"


# What DVC compares runs by; in git for the run of params.yaml, so that there is one to compare with.
rule summary:
    input:
        metrics=plan.metric_files(*SUMMARIZED),
        modules=step_files("summary"),
    output:
        f"{plan.results}/summary.json",
    log:
        f"{plan.results}/logs/summary.log",
    benchmark:
        f"{plan.results}/benchmarks/report/summary.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        index=lambda wildcards: plan.index_file(*SUMMARIZED),
        run=lambda wildcards: plan.results,
    shell:
        "clearfilters summary --run-folder {params.run:q} --index {params.index:q}"
        " --out {output:q} 2>&1 | tee {log:q}"


# As for measurements: where only they are recorded, the recorded curves stay.
if not plan.is_recorded:

    rule curves:
        input:
            histories=lambda wildcards: plan.histories(wildcards.experiment),
            modules=step_files("curves"),
        output:
            f"{plan.results}/curves/{{experiment}}.csv",
        log:
            f"{plan.results}/logs/curves/{{experiment}}.log",
        benchmark:
            f"{plan.results}/benchmarks/curves/{{experiment}}.tsv"
        wildcard_constraints:
            experiment="|".join(plan.params.run.experiments),
        threads: 1
        resources:
            mem_mb=1000,
        shell:
            "clearfilters curves {input.histories:q} --out {output:q} 2>&1 | tee {log:q}"


rule page:
    input:
        metrics=plan.metric_files(DATA, *MEASUREMENTS),
        tables=rules.tables.input,
        figures=rules.figures.input,
        claims=rules.claims.output,
        modules=step_files("report", *TABLES.values(), *FIGURES.values()),
    output:
        report(
            f"{plan.results}/report.html",
            caption="../report/page.rst",
            category="Page",
            labels={"page": plan.name},
        ),
    log:
        f"{plan.results}/logs/report.log",
    benchmark:
        f"{plan.results}/benchmarks/report/page.tsv"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        index=lambda wildcards: plan.index_file(DATA, *MEASUREMENTS),
        run=lambda wildcards: plan.results,
        presets=[os.path.relpath(file) for file in workflow.config_settings.configfiles],
        galleries=plan.galleries,
    shell:
        "clearfilters report --run-folder {params.run:q} --index {params.index:q}"
        " --presets {params.presets:q} --galleries {params.galleries:q} --out {output:q} 2>&1 | tee {log:q}"
