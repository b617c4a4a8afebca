/* cluster_file_write.c - parts of a cluster.json, in the reference's order of members (spec: job-archive 5). */
#include <math.h>

#include "query/cluster_file.h"

/* null leaves a number at zero. */
static void put_number(struct ta_json_writer *w, const char *key, double v)
{
    ta_json_put_key(w, key);
    ta_json_put_f64(w, isnan(v) ? 0 : v);
}

void ta_unit_write(struct ta_json_writer *w, const struct ta_unit *unit)
{
    ta_json_put_key(w, "unit");
    ta_json_put_object(w);
    ta_json_member_str(w, "base", unit->base);
    if (unit->prefix.len)
        ta_json_member_str(w, "prefix", unit->prefix);
    ta_json_put_object_end(w);
}

static void put_thresholds(struct ta_json_writer *w, const struct ta_file_figures *f)
{
    put_number(w, "peak", f->peak);
    put_number(w, "normal", f->normal);
    put_number(w, "caution", f->caution);
    put_number(w, "alert", f->alert);
}

static void put_footprint(struct ta_json_writer *w, const struct ta_file_figures *f)
{
    if (f->footprint.len)
        ta_json_member_str(w, "footprint", f->footprint);
}

/* ---- metrics ------------------------------------------------------------------------------------ */

static void put_override(struct ta_json_writer *w, const struct ta_file_override *o)
{
    ta_json_put_object(w);
    ta_json_member_str(w, "name", o->name);
    ta_unit_write(w, &o->unit);
    put_thresholds(w, &o->figures);
    put_footprint(w, &o->figures);
    ta_json_member_str(w, "energy", o->figures.energy);
    ta_json_member_bool(w, "lowerIsBetter", o->figures.is_lower_better);
    ta_json_member_bool(w, "restrict", o->figures.is_restricted);
    ta_json_member_bool(w, "remove", o->is_removed);
    ta_json_put_object_end(w);
}

void ta_file_put_metric(struct ta_json_writer *w, const struct ta_file_metric *m,
                        const struct ta_file_figures *f, struct ta_str scope, bool with_overrides)
{
    ta_json_put_object(w);
    ta_json_member_str(w, "name", m->name);
    ta_unit_write(w, &m->unit);
    put_thresholds(w, f);
    ta_json_member_str(w, "energy", f->energy);
    ta_json_member_str(w, "scope", scope);
    ta_json_member_str(w, "aggregation", m->aggregation);
    put_footprint(w, f);
    if (with_overrides && m->overrides.n > 0) {
        ta_json_put_key(w, "subClusters");
        ta_json_put_array(w);
        for (const struct ta_dec_item *i = m->overrides.first; i; i = i->next)
            put_override(w, (const struct ta_file_override *)(const void *)i);
        ta_json_put_array_end(w);
    }
    ta_json_member_i64(w, "timestep", m->timestep_s);
    ta_json_member_bool(w, "restrict", f->is_restricted);
    ta_json_member_bool(w, "lowerIsBetter", f->is_lower_better);
    ta_json_put_object_end(w);
}

/* ---- hardware ----------------------------------------------------------------------------------- */

static void put_ids(struct ta_json_writer *w, const struct ta_int_list *ids)
{
    ta_json_put_array(w);
    for (size_t i = 0; i < ids->n; i++)
        ta_json_put_i64(w, ids->at[i]);
    ta_json_put_array_end(w);
}

static void put_groups(struct ta_json_writer *w, const char *key, const struct ta_dec_chain *groups)
{
    ta_json_put_key(w, key);
    ta_json_put_array(w);
    for (const struct ta_dec_item *i = groups->first; i; i = i->next)
        put_ids(w, &((const struct ta_dec_ints *)(const void *)i)->list);
    ta_json_put_array_end(w);
}

static void put_accelerators(struct ta_json_writer *w, const struct ta_dec_chain *all)
{
    ta_json_put_key(w, "accelerators");
    ta_json_put_array(w);
    for (const struct ta_dec_item *i = all->first; i; i = i->next) {
        const struct ta_file_accelerator *a = (const struct ta_file_accelerator *)(const void *)i;

        ta_json_put_object(w);
        ta_json_member_str(w, "id", a->id);
        ta_json_member_str(w, "type", a->type);
        ta_json_member_str(w, "model", a->model);
        ta_json_put_object_end(w);
    }
    ta_json_put_array_end(w);
}

void ta_file_put_topology(struct ta_json_writer *w, const struct ta_file_topology *t)
{
    ta_json_put_key(w, "topology");
    ta_json_put_object(w);
    ta_json_put_key(w, "node");
    put_ids(w, &t->node);
    put_groups(w, "socket", &t->sockets);
    put_groups(w, "memoryDomain", &t->domains);
    if (t->dies.n > 0)
        put_groups(w, "die", &t->dies);
    put_groups(w, "core", &t->cores);
    if (t->accelerators.n > 0)
        put_accelerators(w, &t->accelerators);
    ta_json_put_object_end(w);
}

void ta_file_put_value(struct ta_json_writer *w, const char *key, const struct ta_file_value *v)
{
    ta_json_put_key(w, key);
    ta_json_put_object(w);
    ta_unit_write(w, &v->unit);
    put_number(w, "value", v->value);
    ta_json_put_object_end(w);
}
