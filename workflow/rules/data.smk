# Raw files -> processed stores, and the record of what each holds.


rule data:
    input:
        [plan.store_files(dataset) for dataset in plan.datasets],


rule data_records:
    input:
        plan.metric_files(DATA),


for dataset in plan.datasets:

    rule:
        name:
            f"store_{dataset}"
        input:
            modules=plan.store_modules(dataset),
        output:
            plan.store_files(dataset),
        log:
            f"{plan.results}/logs/store-{dataset}.log",
        benchmark:
            f"{plan.results}/benchmarks/store/{dataset}.tsv"
        threads: 1
        resources:
            mem_mb=4000,
            # Where the raw files lie shapes no result, so it is no parameter: Snakemake would
            # prepare the data again, and with it train every network, when only the place changed.
            raw=os.path.expanduser(plan.params.raw.root),
            download="--download" if plan.params.raw.download else "",
        params:
            slice=plan.data_slice(dataset),
            out=lambda wildcards, output: Path(output[0]).parent,
        shell:
            "clearfilters prepare --parameters {params.slice:q} --raw {resources.raw:q}"
            " {resources.download} --out {params.out:q} 2>&1 | tee {log:q}"


# As for measurements: where only they are recorded, there is nothing to make.
if not plan.is_recorded:

    rule data_record:
        input:
            store=lambda wildcards: f"{plan.data}/{wildcards.dataset}/meta.json",
            modules=step_files("record_data"),
        output:
            f"{plan.results}/metrics/{DATA}/{{dataset}}.json",
        log:
            f"{plan.results}/logs/metrics/{DATA}/{{dataset}}.log",
        benchmark:
            f"{plan.results}/benchmarks/{DATA}/{{dataset}}.tsv"
        threads: 1
        resources:
            mem_mb=1000,
        params:
            slice=lambda wildcards: plan.data_slice(wildcards.dataset),
            data=lambda wildcards, input: Path(input.store).parent,
        shell:
            "clearfilters record-data --parameters {params.slice:q} --data {params.data:q}"
            " --out {output:q} 2>&1 | tee {log:q}"
