/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/** All that the log needs of what it is folded into: to apply, to judge, and to write again. The store binds the views to it. */
public interface FoldedLog extends RebuildableFold, RecordedFacts, RewriteSource {}
